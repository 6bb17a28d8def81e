import {
  ReactWidget,
  copyIcon,
  deleteIcon,
  runIcon,
  stopIcon
} from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import React, { useCallback, useState } from 'react';

import { IServiceKey, Service } from '../api';
import { CommandIDs } from '../commands/ids';
import { modelLabel } from '../panels/services';
import { Cause, ClusterFacts, blameLabel } from '../parts/cause';
import { copy } from '../parts/clipboard';
import { Ago, Live } from '../parts/live';
import { PhasePill } from '../parts/phase';
import { Action, Empty, IconAction, Loading, Problem } from '../parts/states';
import { Tabs } from '../parts/tabs';
import { targetLabel } from '../parts/target';
import { IContext } from '../tokens';
import { LogPane } from './log';
import { TestForm } from './predict';

/** A service in the main area: Test, logs, conditions. */
export class ServiceView extends ReactWidget {
  constructor(
    readonly key: IServiceKey,
    private _context: IContext
  ) {
    super();
    this.addClass('jp-mlops-view');
    _context.model.services.start();
  }

  protected render(): JSX.Element {
    const { trans, model } = this._context;
    const { services, targets } = model;
    const elsewhere = () =>
      this.key.target !== undefined &&
      targets.current !== undefined &&
      targets.current !== this.key.target;
    return (
      <Live on={[services.changed, targets.changed]}>
        {() => {
          if (elsewhere()) {
            return (
              <Empty
                message={trans.__(
                  'This service is on %1, and the sidebar shows %2.',
                  targetLabel(this.key.target, trans),
                  targetLabel(targets.current, trans)
                )}
              >
                <Action onClick={() => targets.choose(this.key.target!)}>
                  {trans.__('Show %1', targetLabel(this.key.target, trans))}
                </Action>
              </Empty>
            );
          }
          const service = services.find(this.key);
          if (service) {
            return (
              <ServicePage
                service={service}
                context={this._context}
                visible={this.isVisible}
                stale={services.error !== null}
              />
            );
          }
          if (services.error) {
            return (
              <Problem
                error={services.error}
                trans={trans}
                onRetry={() => void services.refresh()}
              />
            );
          }
          return services.value ? (
            <Empty
              message={trans.__('There is no service %1.', this.key.name)}
              hint={trans.__('It was deleted. Deploy its model again.')}
            />
          ) : (
            <Loading trans={trans} />
          );
        }}
      </Live>
    );
  }

  protected override onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this.update();
  }

  protected override onAfterHide(msg: Message): void {
    super.onAfterHide(msg);
    this.update();
  }
}

interface IPageProps {
  service: Service;
  context: IContext;
  visible: boolean;
  /** Whether this is what was known before the server or cluster stopped answering. */
  stale: boolean;
}

type Tab = 'test' | 'logs' | 'conditions';

function ServicePage(props: IPageProps): JSX.Element {
  const { service, context, visible } = props;
  const { trans, model } = context;
  const { name, namespace, target } = service;
  const [tab, setTab] = useState<Tab>('test');
  const fetch = useCallback(
    (query: { offset: number; limit: number }) =>
      model.client.at(target).serviceLogs({ name, namespace }, query),
    [model, target, name, namespace]
  );
  return (
    <div className="jp-mlops-page">
      <Head {...props} />
      {props.stale && model.services.error && (
        <Problem
          error={model.services.error}
          trans={trans}
          onRetry={() => void model.services.refresh()}
        />
      )}
      {service.phase !== 'Failed' && service.message && service.fix && (
        <div className="jp-mlops-waiting" role="status">
          <Cause cause={service} trans={trans} />
        </div>
      )}
      {service.phase === 'Failed' && (
        <Problem
          error={{
            message: service.message,
            fix: service.fix,
            code: reason(service)
          }}
          trans={trans}
        >
          {service.blame && (
            <p className="jp-mlops-hint">{blameLabel(service.blame, trans)}</p>
          )}
          <ClusterFacts facts={service.facts ?? []} trans={trans} />
        </Problem>
      )}
      <Tabs<Tab>
        label={trans.__('About the service')}
        current={tab}
        onSelect={setTab}
        tabs={[
          { key: 'test', label: trans.__('Test') },
          { key: 'logs', label: trans.__('Logs') },
          { key: 'conditions', label: trans.__('Conditions') }
        ]}
      >
        {tab === 'test' && <TestForm service={service} context={context} />}
        {tab === 'logs' && (
          <LogPane
            fetch={fetch}
            label={trans.__('Log of the service')}
            visible={visible}
            showStep={target !== undefined && target !== 'local'}
            trans={trans}
          />
        )}
        {tab === 'conditions' && <Conditions {...props} />}
      </Tabs>
    </div>
  );
}

function Head(props: IPageProps): JSX.Element {
  const { service, context } = props;
  const { trans, commands } = context;
  const { name, namespace, phase } = service;
  const execute = (command: string) =>
    void commands.execute(command, {
      name,
      namespace,
      ...(service.target ? { target: service.target } : {})
    });
  const address = service.url && new URL(service.url, document.baseURI).href;
  return (
    <div className="jp-mlops-head">
      <div className="jp-mlops-row">
        <h2>{name}</h2>
        <PhasePill phase={phase} trans={trans} />
        <span className="jp-mlops-spacer" />
        {phase === 'Stopped' ? (
          <Action
            icon={runIcon}
            onClick={() => execute(CommandIDs.startService)}
          >
            {trans.__('Start')}
          </Action>
        ) : (
          <Action
            icon={stopIcon}
            onClick={() => execute(CommandIDs.stopService)}
          >
            {trans.__('Stop')}
          </Action>
        )}
        <Action
          icon={deleteIcon}
          label={trans.__('Delete this service')}
          title={trans.__('Delete this service')}
          onClick={() => execute(CommandIDs.deleteService)}
        >
          {null}
        </Action>
      </div>
      <p className="jp-mlops-hint">
        {modelLabel(service.model)} · {targetLabel(service.target, trans)} ·{' '}
        {namespace} · <Ago time={service.created} trans={trans} />
      </p>
      {service.mode && (
        <p className="jp-mlops-hint">
          {trans.__('The model comes by %1.', service.mode)}{' '}
          {service.mode_reason}
        </p>
      )}
      {address && (
        <p className="jp-mlops-row jp-mlops-address">
          <code>{address}</code>
          <IconAction
            icon={copyIcon}
            label={trans.__('Copy the address')}
            onClick={() => copy(address, trans.__('Copied the address'))}
          />
        </p>
      )}
    </div>
  );
}

/** Reason of the condition that is not met: what KServe calls it. */
function reason(service: Service): string {
  const bad = service.conditions.find(
    condition => condition.status === 'False' && condition.reason
  );
  return bad?.reason ?? service.phase;
}

function Conditions(props: IPageProps): JSX.Element {
  const { trans } = props.context;
  const word = {
    True: trans.__('Yes'),
    False: trans.__('No'),
    Unknown: trans.__('Unknown')
  };
  return (
    <table className="jp-mlops-table">
      <thead>
        <tr>
          <th scope="col">{trans.__('Condition')}</th>
          <th scope="col">{trans.__('Met')}</th>
          <th scope="col">{trans.__('Since')}</th>
          <th scope="col">{trans.__('Message')}</th>
        </tr>
      </thead>
      <tbody>
        {props.service.conditions.map(condition => (
          <tr key={condition.type}>
            <th scope="row">{condition.type}</th>
            <td>{word[condition.status]}</td>
            <td>
              {typeof condition.time === 'number' && (
                <Ago time={condition.time} trans={trans} />
              )}
            </td>
            <td>
              {[condition.reason, condition.message].filter(Boolean).join(': ')}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
