import { TranslationBundle } from '@jupyterlab/translation';
import { UseSignal } from '@jupyterlab/ui-components';
import { ISignal } from '@lumino/signaling';
import React, { useEffect, useState } from 'react';

import { absoluteTime, duration, relativeTime } from '../format';

/** Drawn again whenever one of the signals is emitted. */
export function Live(props: {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- signals of any sender and any argument
  on: ReadonlyArray<ISignal<any, any>>;
  children: () => JSX.Element;
}): JSX.Element {
  const [first, ...rest] = props.on;
  if (!first) {
    return props.children();
  }
  return (
    <UseSignal signal={first}>
      {() => <Live on={rest}>{props.children}</Live>}
    </UseSignal>
  );
}

/** Seconds since the epoch, going on by itself. */
function useNow(seconds: number): number {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1000), seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds]);
  return now;
}

/** How long ago, with date and time as tooltip. */
export function Ago(props: {
  time: number;
  trans: TranslationBundle;
}): JSX.Element {
  const now = useNow(15);
  return (
    <time
      dateTime={new Date(props.time * 1000).toISOString()}
      title={absoluteTime(props.time)}
    >
      {relativeTime(props.time, now, props.trans)}
    </time>
  );
}

/** How long it took, or takes until now. */
export function Took(props: {
  started: number;
  finished?: number | null;
  trans: TranslationBundle;
}): JSX.Element {
  const { started, finished, trans } = props;
  return typeof finished === 'number' ? (
    <span>{duration(finished - started, trans)}</span>
  ) : (
    <Counting started={started} trans={trans} />
  );
}

function Counting(props: {
  started: number;
  trans: TranslationBundle;
}): JSX.Element {
  const now = useNow(1);
  return (
    <span>
      {duration(Math.max(1, Math.floor(now - props.started)), props.trans)}
    </span>
  );
}
