import React, { useId, useRef } from 'react';

export interface ITab<K extends string> {
  readonly key: K;
  readonly label: string;
}

/** Tabs as the ARIA practices have them: arrow keys move, the panel is labelled by its tab. */
export function Tabs<K extends string>(props: {
  label: string;
  tabs: ReadonlyArray<ITab<K>>;
  current: K;
  onSelect: (key: K) => void;
  children: React.ReactNode;
}): JSX.Element {
  const { tabs, current, onSelect } = props;
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const move = (event: React.KeyboardEvent) => {
    const now = tabs.findIndex(tab => tab.key === current);
    const to: Record<string, number> = {
      ArrowLeft: (now + tabs.length - 1) % tabs.length,
      ArrowRight: (now + 1) % tabs.length,
      Home: 0,
      End: tabs.length - 1
    };
    const next = to[event.key];
    if (next !== undefined) {
      event.preventDefault();
      onSelect(tabs[next].key);
      (list.current?.children[next] as HTMLElement | undefined)?.focus();
    }
  };
  return (
    <>
      <div
        className="jp-mlops-tabs"
        role="tablist"
        aria-label={props.label}
        onKeyDown={move}
        ref={list}
      >
        {tabs.map(tab => (
          <button
            key={tab.key}
            role="tab"
            id={`${id}-${tab.key}`}
            aria-selected={tab.key === current}
            aria-controls={`${id}-panel`}
            tabIndex={tab.key === current ? 0 : -1}
            onClick={() => onSelect(tab.key)}
          >
            {tab.label}
          </button>
        ))}
      </div>
      <div
        className="jp-mlops-tabpanel"
        role="tabpanel"
        id={`${id}-panel`}
        aria-labelledby={`${id}-${current}`}
        tabIndex={0}
      >
        {props.children}
      </div>
    </>
  );
}
