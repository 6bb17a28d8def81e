import React, { useId } from 'react';

import { CommandIDs } from '../commands/ids';
import { missing } from '../models/targets';
import { IContext } from '../tokens';
import { HealthIcon, healthLabel } from './health';
import { Live } from './live';
import { targetLabel } from './target';

/** The current target, and the others to choose from: one and the same above all lists. Nothing where there is no choice. */
export function TargetPicker(props: { context: IContext }): JSX.Element {
  const { context } = props;
  const { model, trans, commands } = context;
  const { targets } = model;
  const id = useId();
  return (
    <Live on={[targets.changed]}>
      {() => {
        const current = targets.find(targets.current);
        if (!current || !targets.several) {
          return <></>;
        }
        const problem = current.local ? undefined : missing(current);
        return (
          <div className="jp-mlops-picker">
            <div className="jp-mlops-row">
              <label htmlFor={id}>{trans.__('Target')}</label>
              <TargetSelect
                id={id}
                value={current.name}
                onChoose={name => targets.choose(name)}
                context={context}
              />
              <HealthIcon
                health={current.health}
                label={healthLabel(current.health, trans)}
              />
            </div>
            {problem && (
              <p className="jp-mlops-hint" role="status">
                {trans.__('%1: %2', problem.title, problem.why)}{' '}
                <button
                  className="jp-mlops-link"
                  onClick={() =>
                    void commands.execute(CommandIDs.openPanel, {
                      section: 'targets'
                    })
                  }
                >
                  {trans.__('What to do')}
                </button>
              </p>
            )}
          </div>
        );
      }}
    </Live>
  );
}

/** A list of all targets, each with its health in a word. */
export function TargetSelect(props: {
  id: string;
  value: string;
  onChoose: (name: string) => void;
  context: IContext;
}): JSX.Element {
  const { id, value, onChoose, context } = props;
  const { model, trans } = context;
  return (
    <select
      id={id}
      className="jp-mod-styled jp-mlops-select"
      value={value}
      onChange={event => onChoose(event.target.value)}
    >
      {model.targets.targets.map(target => (
        <option key={target.name} value={target.name}>
          {target.local
            ? targetLabel(target.name, trans)
            : trans.__(
                '%1 (%2)',
                target.name,
                healthLabel(target.health, trans).toLocaleLowerCase()
              )}
        </option>
      ))}
    </select>
  );
}
