/**
 * Commands about models and services: deploy, test is a view, stop, start, delete.
 */
import { JupyterFrontEnd } from '@jupyterlab/application';
import { InputDialog } from '@jupyterlab/apputils';
import {
  deleteIcon,
  launchIcon,
  runIcon,
  stopIcon,
  tagIcon
} from '@jupyterlab/ui-components';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { DeployRequest, IServiceKey } from '../api';
import { LOCAL } from '../models/targets';
import { IContext } from '../tokens';
import { ARGS } from './args';
import { followService } from './follow';
import { CommandIDs } from './ids';
import { attempt } from './report';
import { confirmed, targetOf } from './runs';

export function addModelCommands(
  app: JupyterFrontEnd,
  context: IContext
): void {
  const { commands } = app;
  const { model, trans } = context;
  const hasModels = () => model.models.any;

  commands.addCommand(CommandIDs.deploy, {
    label: trans.__('Deploy Model…'),
    caption: args =>
      args.model || hasModels()
        ? trans.__('Serve a version of a model')
        : trans.__('There is no model yet'),
    icon: launchIcon,
    describedBy: ARGS.deploy,
    isEnabled: args => typeof args.model === 'string' || hasModels(),
    execute: args =>
      attempt(async () => {
        const reference =
          typeof args.model === 'string'
            ? args.model
            : await chooseModel(context);
        if (reference) {
          const asked =
            args.dialog === false
              ? { target: targetOf(args), options: {} }
              : await deployment(context, reference, targetOf(args));
          if (!asked) {
            return;
          }
          const service = await model.services.deploy(
            reference,
            asked.options,
            asked.target
          );
          void commands.execute(CommandIDs.openPanel, { section: 'services' });
          followService(context, service);
        }
      })
  });

  commands.addCommand(CommandIDs.setAlias, {
    label: trans.__('Set Alias of Model Version…'),
    caption: trans.__('Give a version a name such as champion'),
    icon: tagIcon,
    describedBy: ARGS.version,
    isEnabled: isVersion,
    execute: args =>
      attempt(async () => {
        const { value } = await InputDialog.getText({
          title: trans.__('Alias of %1 %2', args.model, args.tag),
          placeholder: trans.__('champion'),
          pattern: '[A-Za-z0-9_][A-Za-z0-9._-]*',
          required: true
        });
        if (!value) {
          return;
        }
        const why = await InputDialog.getText({
          title: trans.__('Why is %1 %2?', args.tag, value),
          label: trans.__('It is recorded; it may stay empty.')
        });
        if (why.button.accept) {
          await model.models.setAlias(
            String(args.model),
            value,
            String(args.tag),
            why.value?.trim() ?? ''
          );
        }
      })
  });

  commands.addCommand(CommandIDs.deleteVersion, {
    label: trans.__('Delete Model Version'),
    caption: trans.__('Delete a version of a model from the registry'),
    icon: deleteIcon,
    describedBy: ARGS.version,
    isEnabled: isVersion,
    execute: args =>
      attempt(async () => {
        const sure = await confirmed(
          context,
          trans.__('Delete %1 %2?', args.model, args.tag),
          trans.__('It cannot be brought back.')
        );
        if (sure) {
          await model.models.deleteVersion(
            String(args.model),
            String(args.tag)
          );
        }
      })
  });
}

export function addServiceCommands(
  app: JupyterFrontEnd,
  context: IContext
): void {
  const { commands } = app;
  const { model, trans } = context;
  const { services } = model;

  commands.addCommand(CommandIDs.stopService, {
    label: trans.__('Stop Service'),
    caption: trans.__('Stop a service; it can be started again'),
    icon: stopIcon,
    describedBy: ARGS.service,
    isEnabled: isService,
    execute: args => attempt(() => services.stop(keyOf(args)!))
  });

  commands.addCommand(CommandIDs.startService, {
    label: trans.__('Start Service'),
    caption: trans.__('Start a service that was stopped'),
    icon: runIcon,
    describedBy: ARGS.service,
    isEnabled: isService,
    execute: args =>
      attempt(async () =>
        followService(context, await services.startService(keyOf(args)!))
      )
  });

  commands.addCommand(CommandIDs.deleteService, {
    label: trans.__('Delete Service'),
    caption: trans.__('Stop a service and forget it; its model stays'),
    icon: deleteIcon,
    describedBy: ARGS.service,
    isEnabled: isService,
    execute: args =>
      attempt(async () => {
        const key = keyOf(args)!;
        const sure = await confirmed(
          context,
          trans.__('Delete %1?', key.name),
          trans.__('Its address stops answering. The model stays.')
        );
        if (sure) {
          await services.delete(key);
        }
      })
  });
}

/** The service that arguments name. */
export function keyOf(args: ReadonlyPartialJSONObject): IServiceKey | null {
  return typeof args.name === 'string' && typeof args.namespace === 'string'
    ? {
        name: args.name,
        namespace: args.namespace,
        ...(typeof args.target === 'string' ? { target: args.target } : {})
      }
    : null;
}

/** A service of the list, chosen by a person where the arguments name none. */
export async function chooseService(
  { model, trans }: IContext,
  args: ReadonlyPartialJSONObject
): Promise<IServiceKey | null> {
  const key = keyOf(args);
  const services = model.services.value ?? [];
  if (key || services.length < 2) {
    return key ?? services[0] ?? null;
  }
  const choice = await InputDialog.getItem({
    title: trans.__('Which service?'),
    items: services.map(service => `${service.namespace}/${service.name}`)
  });
  const [namespace, name] = (choice.value ?? '').split('/');
  return name ? { namespace, name } : null;
}

async function chooseModel({ model, trans }: IContext): Promise<string | null> {
  const choice = await InputDialog.getItem({
    title: trans.__('Which version?'),
    items: (model.models.value ?? []).flatMap(({ name, versions }) =>
      versions.map(({ tag }) => `${name}:${tag}`)
    )
  });
  return choice.value;
}

/** How to deploy: asked for where there is something to choose. */
async function deployment(
  context: IContext,
  reference: string,
  target: string | undefined
): Promise<{ target?: string; options: DeployRequest } | null> {
  const { targets } = context.model;
  if ((target ?? targets.current ?? LOCAL) === LOCAL && !targets.several) {
    return { options: {} };
  }
  const { askDeploy } = await import('../dialogs/deploy');
  return askDeploy(context, reference);
}

function isService(args: ReadonlyPartialJSONObject): boolean {
  return keyOf(args) !== null;
}

function isVersion(args: ReadonlyPartialJSONObject): boolean {
  return typeof args.model === 'string' && typeof args.tag === 'string';
}
