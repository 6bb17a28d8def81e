import { TranslationBundle } from '@jupyterlab/translation';
import React, { useEffect, useLayoutEffect, useMemo, useRef } from 'react';

import { LogLine, Logs } from '../api';
import { LogModel, plain } from '../models/logs';
import { Live } from '../parts/live';
import { Empty, Loading, Problem } from '../parts/states';

/** A log, followed while it is looked at. */
export function LogPane(props: {
  /** Changes make another log; keep it the same otherwise. */
  fetch: (query: { offset: number; limit: number }) => Promise<Logs>;
  label: string;
  visible: boolean;
  showStep: boolean;
  trans: TranslationBundle;
}): JSX.Element {
  const { fetch, visible, trans } = props;
  const model = useMemo(() => new LogModel(fetch), [fetch]);
  useEffect(() => () => model.dispose(), [model]);
  useEffect(() => {
    model.visible = visible;
    return () => {
      model.visible = false;
    };
  }, [model, visible]);
  return (
    <Live on={[model.changed]}>
      {() => (
        <>
          {model.error && (
            <Problem
              error={model.error}
              trans={trans}
              onRetry={() => model.retry()}
            />
          )}
          {!model.loaded && <Loading trans={trans} />}
          {model.loaded && !model.error && model.lines.length === 0 && (
            <Empty
              message={
                model.done
                  ? trans.__('Nothing was printed.')
                  : trans.__('Nothing was printed yet.')
              }
            />
          )}
          {model.dropped > 0 && (
            <p className="jp-mlops-hint">
              {trans.__('%1 earlier lines are not shown.', model.dropped)}
            </p>
          )}
          {model.lines.length > 0 && (
            <Lines
              lines={model.lines}
              label={props.label}
              showStep={props.showStep}
            />
          )}
        </>
      )}
    </Live>
  );
}

function Lines(props: {
  lines: ReadonlyArray<LogLine>;
  label: string;
  showStep: boolean;
}): JSX.Element {
  const { lines, showStep } = props;
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  useLayoutEffect(() => {
    // Whoever scrolled up to read is left there.
    if (box.current && atEnd.current) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [lines]);
  return (
    <div
      className="jp-mlops-log"
      role="log"
      aria-label={props.label}
      aria-live="off"
      tabIndex={0}
      ref={box}
      onScroll={event => {
        const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
        atEnd.current = scrollHeight - scrollTop - clientHeight < 24;
      }}
    >
      {lines.map((line, index) => {
        const named =
          showStep && (index === 0 || lines[index - 1].step !== line.step);
        return (
          <React.Fragment key={index}>
            {named && <div className="jp-mlops-log-step">{line.step}</div>}
            <div className="jp-mlops-log-line">{plain(line.text)}</div>
          </React.Fragment>
        );
      })}
    </div>
  );
}
