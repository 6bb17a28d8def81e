/**
 * Commands about the values of the notebook's kernel: look what would go from step to step, and mend it.
 */
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { liveKernel } from '../notebook/kernel';
import { NotebookSource } from '../notebook/source';
import { applyEdits, cellIds } from '../notebook/steps';
import { IContext } from '../tokens';
import { ARGS } from './args';
import { CommandIDs } from './ids';
import type { INotebookCommandOptions } from './notebooks';
import { attempt } from './report';

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
  const look = async (source: NotebookSource) => {
    const known = model.pipeline.of(source);
    if (
      (known.conversion && !known.stale) ||
      (await convert(context, source))
    ) {
      const { conversion } = model.pipeline.of(source);
      const kernel = liveKernel(source.panel.sessionContext, trans);
      await model.preflight.look(source.path, conversion!, kernel);
    }
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
        await look(source);
      }
    }
  });
  app.commands.addCommand(CommandIDs.joinSteps, {
    label: trans.__('Make Steps One'),
    caption: trans.__('Join a step with a later one, and those between'),
    describedBy: ARGS.join,
    isEnabled: () => notebooks.currentWidget !== null,
    execute: async (args: ReadonlyPartialJSONObject) => {
      const source = current();
      const notebook = source?.panel.content.model;
      if (!source || !notebook) {
        return;
      }
      const done = await attempt(async () => {
        const cells = cellIds(notebook);
        const edits = await model.client.joinSteps(
          source.path,
          notebook.toJSON(),
          String(args.first),
          String(args.last)
        );
        applyEdits(notebook, cells, edits);
        return true;
      });
      // The steps are others now: what is shown of them shall be, too.
      if (done && (await convert(context, source))) {
        await look(source);
      }
    }
  });
}
