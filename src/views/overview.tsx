import React from 'react';

import { Run } from '../api';
import { CommandIDs } from '../commands/ids';
import { brief, cellRange, metric, phaseLabel } from '../format';
import { Cause } from '../parts/cause';
import { Took } from '../parts/live';
import { PhaseIcon } from '../parts/phase';
import { Action } from '../parts/states';
import { IContext } from '../tokens';

/** What went into a run and came out of it: steps, parameters, metrics, models. */
export function Overview(props: {
  run: Run;
  context: IContext;
  /** Only this step, where one is chosen. */
  step: string | null;
}): JSX.Element {
  const { run, context, step } = props;
  const { trans, commands } = context;
  const parameters = Object.entries(run.parameters);
  const metrics = Object.entries(run.metrics);
  const steps = run.steps.filter(one => step === null || one.name === step);
  return (
    <div className="jp-mlops-cards">
      <section className="jp-mlops-card jp-mlops-card-wide">
        <h3>{trans.__('Steps')}</h3>
        <table className="jp-mlops-table">
          <thead>
            <tr>
              <th scope="col">{trans.__('Step')}</th>
              <th scope="col">{trans.__('State')}</th>
              <th scope="col">{trans.__('Cells')}</th>
              <th scope="col">{trans.__('Time')}</th>
              <th scope="col">{trans.__('Message')}</th>
            </tr>
          </thead>
          <tbody>
            {steps.map(one => (
              <tr key={one.name}>
                <th scope="row">{one.name}</th>
                <td>
                  <span className="jp-mlops-row jp-mlops-state">
                    <PhaseIcon phase={one.phase} />
                    {one.cached
                      ? trans.__('From the cache')
                      : phaseLabel(one.phase, trans)}
                  </span>
                </td>
                <td>{cellRange(one.cells, trans)}</td>
                <td>
                  {typeof one.started === 'number' && (
                    <Took
                      started={one.started}
                      finished={one.finished}
                      trans={trans}
                    />
                  )}
                </td>
                <td>
                  {one.cause ? (
                    <Cause cause={one.cause} trans={trans} />
                  ) : (
                    brief(one.message, 160)
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <Facts
        title={trans.__('Parameters')}
        none={trans.__('This notebook has no parameters.')}
        facts={parameters.map(([name, value]) => [name, JSON.stringify(value)])}
      />
      <Facts
        title={trans.__('Metrics')}
        none={trans.__('No metrics were logged.')}
        facts={metrics.map(([name, value]) => [name, metric(value)])}
      />
      <section className="jp-mlops-card">
        <h3>{trans.__('Models')}</h3>
        {run.models.length === 0 && (
          <p className="jp-mlops-hint">{trans.__('No models were logged.')}</p>
        )}
        <ul className="jp-mlops-plain" aria-label={trans.__('Models')}>
          {run.models.map(({ name, tag }) => (
            <li className="jp-mlops-row" key={`${name}:${tag}`}>
              <strong>{name}</strong>
              <span className="jp-mlops-chip">{tag}</span>
              <span className="jp-mlops-spacer" />
              <Action
                small
                label={trans.__('Deploy %1 %2', name, tag)}
                onClick={() =>
                  void commands.execute(CommandIDs.deploy, {
                    model: `${name}:${tag}`,
                    ...(run.target ? { target: run.target } : {})
                  })
                }
              >
                {trans.__('Deploy')}
              </Action>
            </li>
          ))}
        </ul>
      </section>
    </div>
  );
}

function Facts(props: {
  title: string;
  none: string;
  facts: ReadonlyArray<readonly [string, string]>;
}): JSX.Element {
  return (
    <section className="jp-mlops-card">
      <h3>{props.title}</h3>
      {props.facts.length === 0 ? (
        <p className="jp-mlops-hint">{props.none}</p>
      ) : (
        <dl className="jp-mlops-facts">
          {props.facts.map(([name, value]) => (
            <React.Fragment key={name}>
              <dt title={name}>{name}</dt>
              <dd title={value}>{value}</dd>
            </React.Fragment>
          ))}
        </dl>
      )}
    </section>
  );
}
