/**
 * Commands about the values of the notebook's kernel: look what would go from step to step.
 */
import { liveKernel } from '../notebook/kernel';
import { NotebookSource } from '../notebook/source';
import { IContext } from '../tokens';
import { ARGS } from './args';
import { CommandIDs } from './ids';
import type { INotebookCommandOptions } from './notebooks';

export function addPreflightCommands(
  options: INotebookCommandOptions,
  convert: (context: IContext, source: NotebookSource) => Promise<boolean>
): void {
  const { app, context, notebooks } = options;
  const { trans, model } = context;
  const current = () => {
    const { source } = model.pipeline;
    return source instanceof NotebookSource ? source : null;
  };
  app.commands.addCommand(CommandIDs.preflight, {
    label: trans.__('Look What Goes From Step to Step (Preflight)'),
    caption: () =>
      notebooks.currentWidget
        ? trans.__(
            'Sizes and types of the values in the running kernel that steps would hand on'
          )
        : trans.__('Open a notebook first'),
    describedBy: ARGS.none,
    isEnabled: () => notebooks.currentWidget !== null,
    execute: async () => {
      const source = current();
      if (source) {
        void app.commands.execute(CommandIDs.openPanel, {
          section: 'pipeline'
        });
        const known = model.pipeline.of(source);
        if (
          (known.conversion && !known.stale) ||
          (await convert(context, source))
        ) {
          await look(context, source);
        }
      }
    }
  });
}

/** Look into the kernel of a notebook that is converted. */
export async function look(
  { model, trans }: IContext,
  source: NotebookSource
): Promise<void> {
  const { conversion } = model.pipeline.of(source);
  const kernel = liveKernel(source.panel.sessionContext, trans);
  await model.preflight.look(source.path, conversion!, kernel);
}
