import { TranslationBundle } from '@jupyterlab/translation';
import { stopIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { Conversion, Difference, NotebookCheck, Verdict } from '../api';
import { place } from '../format';
import { Live, Took } from '../parts/live';
import { Action, Problem } from '../parts/states';
import { IContext } from '../tokens';

interface IProps {
  context: IContext;
  path: string;
  conversion: Conversion;
  /** Whether the notebook was edited after the conversion. */
  stale: boolean;
  onShow: (cell: number | null | undefined, line?: number | null) => void;
}

/** The last check of a notebook: how far it is, or what it found. */
export function CheckResult(props: IProps): JSX.Element {
  const { context, path } = props;
  return (
    <Live on={[context.model.checks.changed]}>
      {() => {
        const { check, error } = context.model.checks.of(path);
        return (
          <>
            {(check || error) && <h3>{context.trans.__('Check')}</h3>}
            {error && <Problem error={error} trans={context.trans} />}
            {check && <Found {...props} check={check} />}
          </>
        );
      }}
    </Live>
  );
}

function Found(props: IProps & { check: NotebookCheck }): JSX.Element {
  const { check, context, conversion, path } = props;
  const { trans, model } = context;
  if (check.phase === 'Running') {
    return (
      <div className="jp-mlops-check">
        <p className="jp-mlops-row" role="status" aria-live="polite">
          <span className="jp-mlops-spinner" aria-hidden="true" />
          {check.progress || trans.__('Starting…')}
        </p>
        <p className="jp-mlops-hint">
          {trans.__('The notebook is run in one kernel, then as a pipeline.')}{' '}
          <Took started={check.started} trans={trans} />
        </p>
        <Action
          icon={stopIcon}
          disabled={model.checks.of(path).busy}
          onClick={() => void model.checks.stop(path)}
        >
          {trans.__('Stop Check')}
        </Action>
      </div>
    );
  }
  const changed =
    props.stale || conversion.source_digest !== check.source_digest;
  return (
    <div className="jp-mlops-check">
      {changed && (
        <p className="jp-mlops-stale">
          {trans.__('The notebook has changed since it was checked.')}
        </p>
      )}
      {check.phase === 'Stopped' && (
        <p role="status">{trans.__('The check was stopped.')}</p>
      )}
      {check.error && (
        <Problem
          error={check.error}
          trans={trans}
          onShow={() => props.onShow(check.error?.cell, check.error?.line)}
        />
      )}
      {check.verdict && <Answer {...props} verdict={check.verdict} />}
    </div>
  );
}

function Answer(props: IProps & { verdict: Verdict }): JSX.Element {
  const { verdict, context, onShow } = props;
  const { trans } = context;
  const [first, ...rest] = verdict.differences;
  return (
    <>
      <p
        className="jp-mlops-verdict"
        role="status"
        aria-live="polite"
        data-outcome={verdict.outcome}
      >
        {sentence(verdict, trans)}
      </p>
      {verdict.stopped && (
        <p className="jp-mlops-hint">
          {trans.__('Both stop with %1.', verdict.stopped.error)}{' '}
          {place(verdict.stopped, trans) && (
            <button
              className="jp-mlops-link"
              onClick={() =>
                onShow(verdict.stopped?.cell, verdict.stopped?.line)
              }
            >
              {place(verdict.stopped, trans)}
            </button>
          )}
        </p>
      )}
      {first && <Apart {...props} difference={first} />}
      {rest.length > 0 && (
        <details>
          <summary>
            {trans._n('%1 more difference', '%1 more differences', rest.length)}
          </summary>
          {rest.map((difference, index) => (
            <Apart {...props} difference={difference} key={index} />
          ))}
        </details>
      )}
      {verdict.uncompared.map(({ name, reason }) => (
        <p className="jp-mlops-hint" key={name}>
          {trans.__('Not compared: %1 (%2)', name, reason)}
        </p>
      ))}
    </>
  );
}

/** One difference: what, in which cell and step, and both texts beside each other. */
function Apart(props: IProps & { difference: Difference }): JSX.Element {
  const { difference, conversion, context, onShow } = props;
  const { trans } = context;
  const where = place(difference, trans);
  const step = conversion.steps.find(
    one => difference.cell !== null && one.cells.includes(difference.cell)
  );
  return (
    <div className="jp-mlops-apart">
      <p>
        {described(difference, trans)}
        {where && (
          <>
            {' · '}
            <button
              className="jp-mlops-link"
              onClick={() => onShow(difference.cell)}
            >
              {where}
            </button>
          </>
        )}
        {step && ` · ${trans.__('step %1', step.name)}`}
      </p>
      {difference.unsteady && (
        <p className="jp-mlops-hint">
          {trans.__('Differs between two plain runs too.')}
        </p>
      )}
      <dl>
        <div>
          <dt>{trans.__('Single kernel')}</dt>
          <dd>
            <pre>{difference.single}</pre>
          </dd>
        </div>
        <div>
          <dt>{trans.__('Pipeline')}</dt>
          <dd>
            <pre>{difference.pipeline}</pre>
          </dd>
        </div>
      </dl>
    </div>
  );
}

function described(found: Difference, trans: TranslationBundle): string {
  switch (found.kind) {
    case 'output':
      return trans.__('Output %1', found.what);
    case 'value':
      return trans.__('Value of %1', found.path || found.what);
    case 'file':
      return trans.__('File %1', found.what);
    case 'process':
      return trans.__('The process (%1)', found.path || found.what);
    case 'error':
      return trans.__('Where it stops');
    default:
      return found.what;
  }
}

/** "Equal: 12 values, 3 outputs", as the command line says it. */
export function sentence(verdict: Verdict, trans: TranslationBundle): string {
  const { values, outputs, files, logged } = verdict.equal;
  const parts = [
    trans._n('%1 value', '%1 values', values),
    trans._n('%1 output', '%1 outputs', outputs)
  ];
  if (files) {
    parts.push(trans._n('%1 file', '%1 files', files));
  }
  if (logged) {
    parts.push(trans._n('%1 logged artifact', '%1 logged artifacts', logged));
  }
  const equal = parts.join(', ');
  if (verdict.outcome === 'equal') {
    return trans.__('Equal: %1', equal);
  }
  if (verdict.outcome === 'unsteady') {
    return trans.__(
      'Not decided: what differs, differs between two plain runs too. Equal are %1',
      equal
    );
  }
  const count = verdict.differences.filter(found => !found.unsteady).length;
  return trans._n(
    'Different: %1 difference. Equal are %2',
    'Different: %1 differences. Equal are %2',
    count,
    equal
  );
}
