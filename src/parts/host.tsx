import { Widget } from '@lumino/widgets';
import React, { useLayoutEffect, useRef } from 'react';

/** A Lumino widget inside React; made anew when `make` changes, disposed with its place. */
export function Host(props: {
  make: () => Widget;
  className?: string;
}): JSX.Element {
  const { make, className } = props;
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (!box.current) {
      return;
    }
    const widget = make();
    Widget.attach(widget, box.current);
    return () => widget.dispose();
  }, [make]);
  return <div className={className} ref={box} />;
}
