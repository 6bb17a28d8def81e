/**
 * Commands about targets: look whether one works, change its settings.
 */
import { JupyterFrontEnd } from '@jupyterlab/application';
import { InputDialog } from '@jupyterlab/apputils';
import { refreshIcon, settingsIcon } from '@jupyterlab/ui-components';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { IContext } from '../tokens';
import { ARGS } from './args';
import { CommandIDs } from './ids';
import { attempt } from './report';
import { targetOf } from './runs';

export function addTargetCommands(
  app: JupyterFrontEnd,
  context: IContext
): void {
  const { commands } = app;
  const { model, trans } = context;
  const { targets } = model;
  const clusters = () => targets.targets.filter(target => !target.local);
  const known = (args: ReadonlyPartialJSONObject) =>
    targetOf(args) !== undefined || clusters().length > 0;

  const choose = async (
    args: ReadonlyPartialJSONObject
  ): Promise<string | null> => {
    const items = clusters().map(({ name }) => name);
    if (targetOf(args) !== undefined || items.length < 2) {
      return targetOf(args) ?? items[0] ?? null;
    }
    const title = trans.__('Which target?');
    return (await InputDialog.getItem({ title, items })).value;
  };

  commands.addCommand(CommandIDs.checkTarget, {
    label: trans.__('Check Target'),
    caption: args =>
      known(args)
        ? trans.__('Look now whether a cluster can be used')
        : trans.__('No cluster is known here'),
    icon: refreshIcon,
    describedBy: ARGS.target,
    isEnabled: known,
    execute: async args => {
      const name = await choose(args);
      if (name) {
        void commands.execute(CommandIDs.openPanel, { section: 'targets' });
        await targets.check(name);
      }
    }
  });

  commands.addCommand(CommandIDs.configureTarget, {
    label: trans.__('Settings of Target…'),
    caption: args =>
      known(args)
        ? trans.__('Say which registry, image and namespace a cluster uses')
        : trans.__('No cluster is known here'),
    icon: settingsIcon,
    describedBy: ARGS.target,
    isEnabled: known,
    execute: args =>
      attempt(async () => {
        const target = targets.find((await choose(args)) ?? undefined);
        if (!target) {
          return;
        }
        const { askSettings } = await import('../dialogs/target');
        const settings = await askSettings(target, context);
        if (settings) {
          await targets.configure(target.name, settings);
        }
      })
  });
}
