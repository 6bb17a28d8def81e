import { TranslationBundle } from '@jupyterlab/translation';
import { undoIcon } from '@jupyterlab/ui-components';
import React, { useEffect, useId, useState } from 'react';

import { MlopsError, Prediction, Service, asMlopsError } from '../api';
import { brief, metric } from '../format';
import { columnsOf, rowsOf, rowsText } from '../models/rows';
import { Action, IconAction, Loading, Problem } from '../parts/states';
import { IContext } from '../tokens';

/** Call a service with rows; the ones recorded at training stand ready. */
export function TestForm(props: {
  service: Service;
  context: IContext;
}): JSX.Element {
  const { service, context } = props;
  const { trans, model } = context;
  const { name, namespace, ready, target } = service;
  const id = useId();
  const [sample, setSample] = useState<string | null>(null);
  const [text, setText] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<MlopsError | null>(null);
  const [answer, setAnswer] = useState<Prediction | null>(null);

  useEffect(() => {
    let gone = false;
    model.client
      .at(target)
      .sample({ name, namespace })
      .then(
        ({ instances }) => {
          if (!gone) {
            const rows = rowsText(instances);
            setSample(rows);
            setText(rows);
          }
        },
        () => {
          // A model without a recorded sample: the person writes the rows.
          if (!gone) {
            setSample('[]');
            setText('[]');
          }
        }
      );
    return () => {
      gone = true;
    };
  }, [model, target, name, namespace]);

  if (sample === null) {
    return <Loading trans={trans} />;
  }
  const parsed = rowsOf(text, trans);
  const predict = async () => {
    if (!parsed.rows) {
      return;
    }
    setBusy(true);
    setError(null);
    try {
      setAnswer(
        await model.client
          .at(target)
          .predict({ name, namespace }, [...parsed.rows])
      );
    } catch (reason) {
      setAnswer(null);
      setError(asMlopsError(reason));
    } finally {
      setBusy(false);
    }
  };
  const why = !ready
    ? trans.__('The service has to be ready first.')
    : (parsed.problem ?? undefined);
  return (
    <div className="jp-mlops-test">
      <div className="jp-mlops-test-input">
        <div className="jp-mlops-row">
          <label htmlFor={id}>{trans.__('Rows (JSON)')}</label>
          <span className="jp-mlops-spacer" />
          {text !== sample && (
            <IconAction
              icon={undoIcon}
              label={trans.__('Back to the sample rows')}
              onClick={() => setText(sample)}
            />
          )}
        </div>
        <textarea
          id={id}
          className="jp-mod-styled jp-mlops-code"
          spellCheck={false}
          value={text}
          aria-invalid={parsed.problem ? true : undefined}
          aria-describedby={`${id}-problem`}
          onChange={event => setText(event.target.value)}
          onKeyDown={event => {
            if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
              event.preventDefault();
              void predict();
            }
          }}
        />
        <p className="jp-mlops-invalid" id={`${id}-problem`}>
          {parsed.problem}
        </p>
        <div className="jp-mlops-actions">
          <Action
            primary
            disabled={busy || why !== undefined}
            title={why ?? trans.__('Send the rows to the model (Ctrl+Enter)')}
            onClick={() => void predict()}
          >
            {busy ? trans.__('Predicting…') : trans.__('Predict')}
          </Action>
          {!ready && <span className="jp-mlops-hint">{why}</span>}
        </div>
      </div>
      <div className="jp-mlops-test-output" aria-live="polite">
        {error && <Problem error={error} trans={trans} />}
        {answer && (
          <Predictions answer={answer} rows={parsed.rows} trans={trans} />
        )}
        {!error && !answer && (
          <p className="jp-mlops-hint">
            {trans.__('Predictions appear here.')}
          </p>
        )}
      </div>
    </div>
  );
}

/** Rows shown at most; the answer holds all. */
const SHOWN = 200;

function Predictions(props: {
  answer: Prediction;
  rows: ReadonlyArray<unknown> | null;
  trans: TranslationBundle;
}): JSX.Element {
  const { answer, trans } = props;
  const shown = answer.predictions.slice(0, SHOWN);
  const columns = columnsOf(shown);
  return (
    <>
      <p className="jp-mlops-hint">
        {trans._n(
          '%1 prediction in %2 ms',
          '%1 predictions in %2 ms',
          answer.predictions.length,
          metric(Math.round(answer.milliseconds * 10) / 10)
        )}
      </p>
      <table className="jp-mlops-table" aria-label={trans.__('Predictions')}>
        <thead>
          <tr>
            <th scope="col">{trans.__('Row')}</th>
            {columns.length ? (
              columns.map(column => (
                <th scope="col" key={column}>
                  {column}
                </th>
              ))
            ) : (
              <th scope="col">{trans.__('Prediction')}</th>
            )}
          </tr>
        </thead>
        <tbody>
          {shown.map((prediction, index) => (
            <tr key={index}>
              <th scope="row">{index}</th>
              {columns.length ? (
                columns.map(column => (
                  <td key={column}>
                    {cell((prediction as Record<string, unknown>)[column])}
                  </td>
                ))
              ) : (
                <td>{cell(prediction)}</td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
      {answer.predictions.length > SHOWN && (
        <p className="jp-mlops-hint">
          {trans.__('Only the first %1 are shown.', SHOWN)}
        </p>
      )}
    </>
  );
}

function cell(value: unknown): string {
  return typeof value === 'number' ? metric(value) : brief(value ?? null, 120);
}
