import {
  copyIcon,
  deleteIcon,
  runIcon,
  stopIcon
} from '@jupyterlab/ui-components';
import React from 'react';

import { Service } from '../api';
import { CommandIDs } from '../commands/ids';
import { copy } from '../parts/clipboard';
import { PhasePill } from '../parts/phase';
import { Action, Empty, IconAction } from '../parts/states';
import { IContext } from '../tokens';
import { Loaded } from './resource';

/** Endpoints: how they are, and Test. */
export function ServicesPanel(props: { context: IContext }): JSX.Element {
  const { context } = props;
  const { trans, model } = context;
  return (
    <Loaded resource={model.services} context={context}>
      {services =>
        services.length === 0 ? (
          <Empty
            message={trans.__('No services yet.')}
            hint={trans.__('Deploy a version of a model to call it.')}
          />
        ) : (
          <ul className="jp-mlops-list" aria-label={trans.__('Services')}>
            {services.map(service => (
              <ServiceItem
                key={`${service.namespace}/${service.name}`}
                service={service}
                context={context}
              />
            ))}
          </ul>
        )
      }
    </Loaded>
  );
}

function ServiceItem(props: {
  service: Service;
  context: IContext;
}): JSX.Element {
  const { service, context } = props;
  const { trans, commands } = context;
  const { name, namespace, phase } = service;
  const execute = (command: string) =>
    void commands.execute(command, {
      name,
      namespace,
      ...(service.target ? { target: service.target } : {})
    });
  return (
    <li className="jp-mlops-item jp-mlops-service" data-service={name}>
      <div className="jp-mlops-row">
        <button
          className="jp-mlops-item-name jp-mlops-link"
          title={name}
          onClick={() => execute(CommandIDs.testService)}
        >
          {name}
        </button>
        <span className="jp-mlops-spacer" />
        <PhasePill phase={phase} trans={trans} />
      </div>
      <div className="jp-mlops-hint jp-mlops-ellipsis" title={service.model}>
        {modelLabel(service.model)}
      </div>
      {service.message && phase !== 'Ready' && (
        <p className="jp-mlops-message">{service.message}</p>
      )}
      {service.fix && <p className="jp-mlops-fix">{service.fix}</p>}
      <div className="jp-mlops-row">
        <Action
          small
          disabled={phase !== 'Ready'}
          title={
            phase === 'Ready'
              ? trans.__('Call it with sample rows')
              : trans.__('It has to be ready first')
          }
          label={trans.__('Test %1', name)}
          onClick={() => execute(CommandIDs.testService)}
        >
          {trans.__('Test')}
        </Action>
        <span className="jp-mlops-spacer" />
        {service.url && (
          <IconAction
            icon={copyIcon}
            label={trans.__('Copy the address of %1', name)}
            onClick={() =>
              copy(
                new URL(service.url, document.baseURI).href,
                trans.__('Copied the address')
              )
            }
          />
        )}
        {phase === 'Stopped' ? (
          <IconAction
            icon={runIcon}
            label={trans.__('Start %1', name)}
            onClick={() => execute(CommandIDs.startService)}
          />
        ) : (
          <IconAction
            icon={stopIcon}
            label={trans.__('Stop %1', name)}
            onClick={() => execute(CommandIDs.stopService)}
          />
        )}
        <IconAction
          icon={deleteIcon}
          label={trans.__('Delete %1', name)}
          onClick={() => execute(CommandIDs.deleteService)}
        />
      </div>
    </li>
  );
}

/** A reference with a digest nobody reads in full. */
export function modelLabel(reference: string): string {
  return reference
    .replace(/^models\//, '')
    .replace(/@sha256:([0-9a-f]{12})[0-9a-f]+$/, '@$1');
}
