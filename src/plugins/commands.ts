import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands/ids';
import { addDatasetCommands } from '../commands/datasets';
import { addModelCommands, addServiceCommands } from '../commands/models';
import { addNotebookCommands } from '../commands/notebooks';
import { addRunCommands } from '../commands/runs';
import { addTargetCommands } from '../commands/targets';
import { DOMAIN, IMlopsModel } from '../tokens';
import { SETTINGS } from './settings';

/** Commands that make sense without arguments. */
const PALETTE = [
  CommandIDs.convert,
  CommandIDs.run,
  CommandIDs.check,
  CommandIDs.preflight,
  CommandIDs.runWith,
  CommandIDs.workflow,
  CommandIDs.splitStep,
  CommandIDs.skipCells,
  CommandIDs.resetSteps,
  CommandIDs.markStep,
  CommandIDs.clearStep,
  CommandIDs.openPanel,
  CommandIDs.openRun,
  CommandIDs.stopRun,
  CommandIDs.pauseRun,
  CommandIDs.unpauseRun,
  CommandIDs.approveRun,
  CommandIDs.runAgain,
  CommandIDs.deploy,
  CommandIDs.testService,
  CommandIDs.checkTarget,
  CommandIDs.configureTarget
];

export const commandsPlugin: JupyterFrontEndPlugin<void> = {
  id: SETTINGS,
  description: 'Commands, toolbar button, menus and shortcuts of MLOps.',
  autoStart: true,
  requires: [IMlopsModel, INotebookTracker],
  optional: [
    ISettingRegistry,
    ITranslator,
    ICommandPalette,
    IFileBrowserFactory
  ],
  activate: (
    app: JupyterFrontEnd,
    model: IMlopsModel,
    notebooks: INotebookTracker,
    settings: ISettingRegistry | null,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    files: IFileBrowserFactory | null
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const context = { model, commands: app.commands, trans };
    addNotebookCommands({ app, context, notebooks, files });
    addRunCommands(app, context);
    addModelCommands(app, context);
    addDatasetCommands(context);
    addServiceCommands(app, context);
    addTargetCommands(app, context);

    const category = trans.__('MLOps');
    for (const command of PALETTE) {
      palette?.addItem({ command, category });
    }
    // What is enabled, and the reason why not, depends on these.
    const refresh = () => {
      for (const command of PALETTE) {
        if (app.commands.hasCommand(command)) {
          app.commands.notifyCommandChanged(command);
        }
      }
    };
    notebooks.currentChanged.connect(refresh);
    notebooks.activeCellChanged.connect(refresh);
    model.runs.changed.connect(refresh);
    model.models.changed.connect(refresh);
    model.services.changed.connect(refresh);
    model.targets.changed.connect(refresh);
    // Loading the schema is what adds toolbar button, menus and shortcuts.
    void settings?.load(SETTINGS);
  }
};
