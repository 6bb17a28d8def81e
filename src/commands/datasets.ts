/**
 * Commands about datasets.
 */
import { InputDialog } from '@jupyterlab/apputils';
import { deleteIcon } from '@jupyterlab/ui-components';

import { asMlopsError } from '../api';
import { IContext } from '../tokens';
import { ARGS } from './args';
import { CommandIDs } from './ids';
import { attempt } from './report';
import { confirmed } from './runs';

/** Something was made of it, so that a reason is asked for. */
const CONFLICT = 409;

export function addDatasetCommands(context: IContext): void {
  const { commands, model, trans } = context;

  commands.addCommand(CommandIDs.deleteDataset, {
    label: trans.__('Delete Dataset Version'),
    caption: trans.__('Delete a version of a dataset from the registry'),
    icon: deleteIcon,
    describedBy: ARGS.dataset,
    isEnabled: args =>
      typeof args.dataset === 'string' && typeof args.tag === 'string',
    execute: args =>
      attempt(async () => {
        const [name, tag] = [String(args.dataset), String(args.tag)];
        const sure = await confirmed(
          context,
          trans.__('Delete %1 %2?', name, tag),
          trans.__('It cannot be brought back.')
        );
        if (!sure) {
          return;
        }
        try {
          await model.datasets.remove(name, tag);
        } catch (reason) {
          const error = asMlopsError(reason);
          if (error.status !== CONFLICT) {
            throw reason;
          }
          const { value } = await InputDialog.getText({
            title: trans.__('Delete %1 %2 all the same?', name, tag),
            label: error.message,
            placeholder: trans.__('Why; it is recorded'),
            required: true
          });
          if (value) {
            await model.datasets.remove(name, tag, value);
          }
        }
      })
  });
}
