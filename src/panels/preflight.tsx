import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { Conversion } from '../api';
import { CommandIDs } from '../commands/ids';
import { bytes } from '../format';
import { ICrossing, IPreflight } from '../models/preflight';
import { Ago, Live } from '../parts/live';
import { Action, Problem } from '../parts/states';
import { IContext } from '../tokens';

interface IProps {
  context: IContext;
  path: string;
  conversion: Conversion;
  /** Whether the notebook was edited after the conversion. */
  stale: boolean;
}

/** The last look into the notebook's kernel: what would go from step to step; nothing before the first one. */
export function PreflightSection(props: IProps): JSX.Element {
  const { context, path, conversion, stale } = props;
  const { trans, commands, model } = context;
  const again = () => void commands.execute(CommandIDs.preflight);
  return (
    <Live on={[model.preflight.changed]}>
      {() => {
        const state = model.preflight.of(path);
        if (state.phase === 'none') {
          return <></>;
        }
        const goesOn = state.phase === 'waiting' || state.phase === 'looking';
        const changed =
          stale || state.conversion?.source_digest !== conversion.source_digest;
        return (
          <div className="jp-mlops-preflight">
            <h3>{trans.__('Preflight')}</h3>
            {goesOn && (
              <>
                <p className="jp-mlops-row" role="status" aria-live="polite">
                  <span className="jp-mlops-spinner" aria-hidden="true" />
                  {state.phase === 'waiting'
                    ? trans.__('Waiting for the kernel, which is busy…')
                    : trans.__('The kernel examines its values…')}
                </p>
                <Action onClick={() => model.preflight.giveUp(path)}>
                  {trans.__('Give Up')}
                </Action>
              </>
            )}
            {state.phase === 'failed' && state.error && (
              <Problem error={state.error} trans={trans} onRetry={again} />
            )}
            {state.phase === 'done' && state.found && (
              <>
                {changed && (
                  <p className="jp-mlops-stale">
                    {trans.__('The notebook has changed since.')}{' '}
                    <button className="jp-mlops-link" onClick={again}>
                      {trans.__('Look Again')}
                    </button>
                  </p>
                )}
                <p role="status">
                  {total(state.found, trans)}{' '}
                  <span className="jp-mlops-hint">
                    <Ago time={state.time} trans={trans} />
                  </span>
                </p>
                <Crossings {...props} found={state.found} usable={!changed} />
                {state.found.absent.length > 0 && (
                  <p className="jp-mlops-hint">
                    {trans.__(
                      'Not in this kernel yet: %1. Run their cells, and look again.',
                      state.found.absent.join(', ')
                    )}
                  </p>
                )}
              </>
            )}
          </div>
        );
      }}
    </Live>
  );
}

function Crossings(
  props: IProps & { found: IPreflight; usable: boolean }
): JSX.Element {
  const { found, context } = props;
  const { trans } = context;
  return (
    <ul
      className="jp-mlops-crossings"
      aria-label={trans.__('What goes from step to step')}
    >
      {found.crossings.map(crossing => (
        <li key={crossing.names.join()}>
          <Crossing {...props} crossing={crossing} />
        </li>
      ))}
    </ul>
  );
}

function Crossing(
  props: IProps & { crossing: ICrossing; usable: boolean }
): JSX.Element {
  const { crossing, context, usable } = props;
  const { trans, commands } = context;
  const { join } = crossing;
  return (
    <div data-warning={crossing.warning !== ''}>
      <p>
        <code>{crossing.names.join(', ')}</code>{' '}
        <span className="jp-mlops-hint">
          {[...new Set(crossing.types)].join(', ')}
          {' · '}
          {crossing.reason
            ? trans.__('cannot be stored')
            : bytes(crossing.size)}
          {' · '}
          {crossing.made.join(', ')} → {crossing.needed.join(', ')}
        </span>
      </p>
      {crossing.names.length > 1 && (
        <p className="jp-mlops-hint">
          {trans.__('They share something that can change, and go together.')}
        </p>
      )}
      {crossing.warning && (
        <>
          <p className="jp-mlops-crossing-warning">{crossing.warning}</p>
          {crossing.fix && !join && (
            <p className="jp-mlops-fix">{crossing.fix}</p>
          )}
        </>
      )}
      {join && (
        <Action
          disabled={!usable}
          title={
            usable
              ? trans.__('Write it into the notebook; it can be undone there')
              : trans.__('The notebook has changed since: look again first')
          }
          onClick={() =>
            void commands.execute(CommandIDs.joinSteps, {
              first: join[0],
              last: join[1]
            })
          }
        >
          {trans.__('Make %1 to %2 One Step', join[0], join[1])}
        </Action>
      )}
      {join && crossing.fix && <p className="jp-mlops-fix">{crossing.fix}</p>}
    </div>
  );
}

/** "1.2 GB would go from step to step, as the kernel has it". */
function total(found: IPreflight, trans: TranslationBundle): string {
  if (found.crossings.length === 0) {
    return trans.__('No value of this kernel goes from step to step.');
  }
  const size = found.crossings.reduce((sum, one) => sum + one.size, 0);
  return trans.__(
    '%1 would go from step to step, as the kernel had it',
    bytes(size)
  );
}
