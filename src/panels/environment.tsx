import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { Conversion } from '../api';
import { bytes } from '../format';
import { IFit, misfits } from '../models/fit';
import { LOCAL } from '../models/targets';
import { Diagnostics } from '../parts/diagnostics';
import { Live } from '../parts/live';
import { Action, Problem } from '../parts/states';
import { targetLabel } from '../parts/target';
import { IContext } from '../tokens';

type Environment = NonNullable<Conversion['environment']>;

interface IProps {
  context: IContext;
  path: string;
  conversion: Conversion;
  /** Where it would run; the current target where absent. */
  target?: string;
}

/** What of the target does not fit the notebook, where Run is pressed; nothing where all fits. */
export function Misfits(
  props: IProps & {
    onShow: (cell: number | null | undefined, line?: number | null) => void;
  }
): JSX.Element {
  const { context, conversion, onShow } = props;
  const { trans } = context;
  return (
    <Fitting {...props}>
      {(fit, target) => {
        const found = misfits(fit, conversion);
        const refused = found.some(one => one.severity === 'error');
        return found.length === 0 ? (
          <></>
        ) : (
          <div className="jp-mlops-misfits" role={refused ? 'alert' : 'status'}>
            <p>
              <strong>
                {refused
                  ? trans.__(
                      '%1 would refuse a run',
                      targetLabel(target, trans)
                    )
                  : trans.__('Before a run: %1', targetLabel(target, trans))}
              </strong>
            </p>
            <Diagnostics
              diagnostics={found}
              onShow={one => onShow(one.cell, one.line)}
              trans={trans}
              label={trans.__('Before it runs')}
            />
          </div>
        );
      }}
    </Fitting>
  );
}

/** Python and packages of the notebook's kernel, what travels with it, and the images of its steps. */
export function EnvironmentSection(props: IProps): JSX.Element {
  const { context, path } = props;
  const { trans, model } = context;
  return (
    <>
      <h3>{trans.__('Environment')}</h3>
      <Fitting {...props}>
        {(fit, target) => {
          const again = () => model.fit.refresh(path, target);
          if (fit.error) {
            return <Problem error={fit.error} trans={trans} onRetry={again} />;
          }
          const environment = fit.conversion?.environment;
          return (
            <div className="jp-mlops-environment">
              {fit.busy && (
                <p className="jp-mlops-row jp-mlops-hint" role="status">
                  <span className="jp-mlops-spinner" aria-hidden="true" />
                  {trans.__('Asking the kernel and the images…')}
                </p>
              )}
              {environment && <Known environment={environment} trans={trans} />}
              {fit.conversion && !environment && (
                <p>
                  {trans.__(
                    'The notebook’s kernel cannot be asked: it is not installed on this server, or does not answer.'
                  )}
                </p>
              )}
              {!fit.busy && (
                <Action onClick={again}>{trans.__('Look Again')}</Action>
              )}
            </div>
          );
        }}
      </Fitting>
    </>
  );
}

/** Drawn again when the target, or what is known of it, changes. */
function Fitting(
  props: IProps & { children: (fit: IFit, target: string) => JSX.Element }
): JSX.Element {
  const { context, path, conversion } = props;
  const { fit, targets } = context.model;
  return (
    <Live on={[fit.changed, targets.changed]}>
      {() => {
        const target = props.target ?? targets.current ?? LOCAL;
        return props.children(
          fit.of(path, target, conversion.source_digest),
          target
        );
      }}
    </Live>
  );
}

function Known(props: {
  environment: Environment;
  trans: TranslationBundle;
}): JSX.Element {
  const { environment, trans } = props;
  const { distributions, local, data, unknown, missing } = environment;
  const left = Object.entries(environment.left).sort((a, b) => b[1] - a[1]);
  return (
    <dl>
      <dt>{trans.__('Python')}</dt>
      <dd>{environment.python}</dd>
      <dt>{trans.__('Packages')}</dt>
      <dd>
        {distributions.length === 0 && trans.__('none')}
        <Names
          names={distributions.map(({ name, version, source }) =>
            source === 'index'
              ? `${name} ${version}`
              : `${name} ${version} (${source})`
          )}
        />
        {environment.installs && (
          <p className="jp-mlops-hint">
            {trans.__('A cell installs packages.')}
          </p>
        )}
      </dd>
      {missing.length > 0 && (
        <>
          <dt>{trans.__('Not in this kernel')}</dt>
          <dd>
            <Names names={[...new Set(missing.map(({ module }) => module))]} />
          </dd>
        </>
      )}
      {unknown.length > 0 && (
        <>
          <dt>{trans.__('Modules of no package')}</dt>
          <dd>
            <Names names={unknown} />
          </dd>
        </>
      )}
      {local.length > 0 && (
        <>
          <dt>{trans.__('Local modules, packed')}</dt>
          <dd>
            <Names names={local} />
          </dd>
        </>
      )}
      {data.length > 0 && (
        <>
          <dt>{trans.__('Data files, packed for a cluster')}</dt>
          <dd>
            <Names names={data} />
          </dd>
        </>
      )}
      {left.length > 0 && (
        <>
          <dt>{trans.__('Too large to travel')}</dt>
          <dd>
            <Names
              names={left.map(([name, size]) => `${name} ${bytes(size)}`)}
            />
          </dd>
        </>
      )}
      {(environment.images ?? []).map(image => (
        <React.Fragment key={image.image}>
          <dt>{trans.__('Image of %1', image.steps.join(', '))}</dt>
          <dd>
            <code>{image.image}</code>
            <p className="jp-mlops-hint">
              {image.python
                ? trans.__('Python %1', image.python)
                : trans.__('Python not known')}
              {' · '}
              {typeof image.packages === 'number'
                ? trans._n('%1 package', '%1 packages', image.packages)
                : trans.__('packages not known: %1', image.unread)}
            </p>
          </dd>
        </React.Fragment>
      ))}
    </dl>
  );
}

function Names(props: { names: ReadonlyArray<string> }): JSX.Element {
  return (
    <ul>
      {props.names.map(name => (
        <li key={name}>{name}</li>
      ))}
    </ul>
  );
}
