import { refreshIcon, settingsIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { Check, Target } from '../api';
import { CommandIDs } from '../commands/ids';
import { missing } from '../models/targets';
import { HealthIcon, healthLabel } from '../parts/health';
import { Ago, Live } from '../parts/live';
import { Action, Empty, IconAction, Problem } from '../parts/states';
import { targetLabel } from '../parts/target';
import { IContext } from '../tokens';
import { Loaded } from './resource';

/** Where runs and services can go, whether that works, and what to do where it does not. */
export function TargetsPanel(props: { context: IContext }): JSX.Element {
  const { context } = props;
  const { model, trans } = context;
  return (
    <Loaded resource={model.targets} context={context}>
      {({ targets }) => (
        <>
          <ul className="jp-mlops-list" aria-label={trans.__('Targets')}>
            {targets.map(target => (
              <TargetItem key={target.name} target={target} context={context} />
            ))}
          </ul>
          {targets.length === 1 && (
            <Empty
              message={trans.__('No cluster is known here.')}
              hint={trans.__(
                'Each context of the kubeconfig is a target. Put one at ~/.kube/config, or name it with KUBECONFIG and restart Jupyter Server.'
              )}
            />
          )}
        </>
      )}
    </Loaded>
  );
}

function TargetItem(props: { target: Target; context: IContext }): JSX.Element {
  const { target, context } = props;
  const { model, trans, commands } = context;
  const { targets } = model;
  const label = targetLabel(target.name, trans);
  return (
    <Live on={[targets.changed]}>
      {() => {
        const current = targets.current === target.name;
        const busy = targets.isBusy(target.name);
        const problem = targets.problem(target.name);
        return (
          <li
            className="jp-mlops-item jp-mlops-target"
            data-target={target.name}
            aria-current={current || undefined}
          >
            <div className="jp-mlops-row">
              <HealthIcon health={target.health} />
              <span className="jp-mlops-item-name" title={target.title}>
                {label}
              </span>
              <span className="jp-mlops-spacer" />
              {current && (
                <span className="jp-mlops-chip">{trans.__('current')}</span>
              )}
              {!target.local && (
                <>
                  <IconAction
                    icon={refreshIcon}
                    disabled={busy}
                    label={trans.__('Check %1 again', label)}
                    onClick={() => void targets.check(target.name)}
                  />
                  <IconAction
                    icon={settingsIcon}
                    label={trans.__('Settings of %1', label)}
                    onClick={() =>
                      void commands.execute(CommandIDs.configureTarget, {
                        target: target.name
                      })
                    }
                  />
                </>
              )}
            </div>
            <p className="jp-mlops-hint" role="status">
              {busy ? (
                trans.__('Checking…')
              ) : (
                <State target={target} context={context} />
              )}
            </p>
            {problem && !busy && (
              <Problem
                error={problem}
                trans={trans}
                onRetry={() => void targets.check(target.name)}
              />
            )}
            {!current && (
              <div className="jp-mlops-row">
                <Action
                  small
                  label={trans.__('Use %1', label)}
                  onClick={() => targets.choose(target.name)}
                >
                  {trans.__('Use This Target')}
                </Action>
              </div>
            )}
            {!target.local && (
              <Checks checks={target.checks} context={context} />
            )}
          </li>
        );
      }}
    </Live>
  );
}

/** Health in a word, and what is missing in one line. */
function State(props: { target: Target; context: IContext }): JSX.Element {
  const { target, context } = props;
  const { trans } = context;
  if (target.local) {
    return <>{trans.__('Always there; it needs no setting.')}</>;
  }
  const problem = missing(target);
  return (
    <>
      {healthLabel(target.health, trans)}
      {problem && <> · {trans.__('%1: %2', problem.title, problem.why)}</>}
      {typeof target.checked === 'number' && (
        <>
          {' · '}
          <Ago time={target.checked} trans={trans} />
        </>
      )}
    </>
  );
}

function Checks(props: {
  checks: ReadonlyArray<Check>;
  context: IContext;
}): JSX.Element | null {
  const { checks, context } = props;
  const { trans } = context;
  if (checks.length === 0) {
    return null;
  }
  const good = checks.filter(check => check.level === 'ok').length;
  return (
    <details
      className="jp-mlops-details"
      open={checks.some(check => check.level === 'fail')}
    >
      <summary>
        {trans.__('%1 of %2 checks passed', good, checks.length)}
      </summary>
      <ul className="jp-mlops-checks" aria-label={trans.__('Checks')}>
        {checks.map(check => (
          <li key={check.id} data-check={check.id}>
            <HealthIcon
              health={check.level}
              label={healthLabel(check.level, trans)}
            />
            <div>
              <strong>{check.title}</strong>
              <p className="jp-mlops-hint">{check.why}</p>
              {check.fix && <p className="jp-mlops-fix">{check.fix}</p>}
            </div>
          </li>
        ))}
      </ul>
    </details>
  );
}
