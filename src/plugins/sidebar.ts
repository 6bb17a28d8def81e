import {
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { ARGS } from '../commands/args';
import { CommandIDs } from '../commands/ids';
import { pipelineIcon } from '../icons';
import { MlopsSidebar, Section } from '../panels/sidebar';
import { DOMAIN, IMlopsModel } from '../tokens';

/** Between the core's own tabs (up to 500) and the end of those of extensions (900). */
const RANK = 550;

export const sidebarPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:sidebar',
  description: 'Sidebar with pipeline, runs, models and services.',
  autoStart: true,
  requires: [IMlopsModel],
  optional: [ITranslator, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    model: IMlopsModel,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null
  ) => {
    translator = translator ?? nullTranslator;
    const trans = translator.load(DOMAIN);
    const context = { model, commands: app.commands, trans };
    const sidebar = new MlopsSidebar(context, translator);
    app.shell.add(sidebar, 'left', { rank: RANK, type: 'MLOps' });
    restorer?.add(sidebar, sidebar.id);

    app.commands.addCommand(CommandIDs.openPanel, {
      label: trans.__('Show MLOps Panel'),
      caption: trans.__('Show pipeline, runs, models and services'),
      icon: pipelineIcon,
      describedBy: ARGS.panel,
      execute: args => {
        app.shell.activateById(sidebar.id);
        if (typeof args.section === 'string') {
          sidebar.expand(args.section as Section);
        }
      }
    });
  }
};
