/**
 * Commands about the notebook in front: convert, run, steps, jump.
 */
import { JupyterFrontEnd } from '@jupyterlab/application';
import { InputDialog, Notification } from '@jupyterlab/apputils';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { checkIcon, runIcon } from '@jupyterlab/ui-components';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { MlopsError } from '../api';
import { pipelineIcon } from '../icons';
import { INotebookSource } from '../models/pipeline';
import { LOCAL } from '../models/targets';
import { NotebookSource } from '../notebook/source';
import { revealCell } from '../notebook/reveal';
import { STEP_PATTERN, setStep, stepOf } from '../notebook/steps';
import { IContext } from '../tokens';
import { ARGS } from './args';
import { codeCell } from './cells';
import { followRun } from './follow';
import { CommandIDs } from './ids';
import { addPreflightCommands } from './preflight';
import { attempt, reportError } from './report';
import { targetOf } from './runs';
import { addStepCommands } from './steps';

export interface INotebookCommandOptions {
  app: JupyterFrontEnd;
  context: IContext;
  notebooks: INotebookTracker;
  files: IFileBrowserFactory | null;
}

export function addNotebookCommands(options: INotebookCommandOptions): void {
  addConvert(options);
  addRun(options);
  addRunWith(options);
  addCheck(options);
  addPreflightCommands(options, convert);
  addStepCommands(options, convert);
  addReveal(options);
  addSteps(options);
}

/** Why a command about the notebook in front cannot be used; null where it can. */
function noNotebook({
  notebooks,
  context
}: INotebookCommandOptions): string | null {
  return notebooks.currentWidget
    ? null
    : context.trans.__('Open a notebook first');
}

function addConvert(options: INotebookCommandOptions): void {
  const { app, context, files } = options;
  const { trans, model } = context;
  const selected = () =>
    [...(files?.tracker.currentWidget?.selectedItems() ?? [])].find(
      item => item.type === 'notebook'
    );
  const fromBrowser = (args: ReadonlyPartialJSONObject) =>
    args.source === 'browser';
  app.commands.addCommand(CommandIDs.convert, {
    label: args =>
      args.toolbar || fromBrowser(args)
        ? trans.__('Convert to Pipeline')
        : trans.__('Convert Notebook to Pipeline'),
    caption: args =>
      (fromBrowser(args) ? null : noNotebook(options)) ??
      trans.__('Show this notebook as a pipeline; nothing is run'),
    icon: pipelineIcon,
    describedBy: ARGS.convert,
    isEnabled: args =>
      fromBrowser(args)
        ? selected() !== undefined
        : noNotebook(options) === null,
    execute: async args => {
      const path = fromBrowser(args) ? selected()?.path : undefined;
      const source = path
        ? await openNotebook(options, path)
        : model.pipeline.source;
      if (!source) {
        return;
      }
      void app.commands.execute(CommandIDs.openPanel, { section: 'pipeline' });
      await convert(context, source);
    }
  });
}

/** Convert and say what came of it; a refusal is shown by the panel, which has room for it. */
async function convert(
  { model, trans }: IContext,
  source: INotebookSource,
  tell = true
): Promise<boolean> {
  try {
    const saved = await model.pipeline.convert(source);
    if (saved && tell) {
      Notification.info(trans.__('Saved %1, then converted it.', source.path), {
        autoClose: 3000
      });
    }
    return true;
  } catch (reason) {
    if (!(reason instanceof MlopsError) || reason.diagnostics.length === 0) {
      reportError(reason);
    }
    return false;
  }
}

function addRun(options: INotebookCommandOptions): void {
  const { app, context } = options;
  const { trans, model } = context;
  app.commands.addCommand(CommandIDs.run, {
    label: trans.__('Run Notebook as Pipeline'),
    caption: () =>
      noNotebook(options) ??
      trans.__('Run the pipeline on %1', whereRuns(context)),
    icon: runIcon,
    describedBy: ARGS.run,
    isEnabled: args =>
      typeof args.path === 'string' || noNotebook(options) === null,
    execute: async args => {
      const source =
        typeof args.path === 'string'
          ? (model.pipeline.at(args.path) ?? null)
          : model.pipeline.source;
      const path = source?.path ?? args.path;
      if (typeof path !== 'string') {
        return;
      }
      await attempt(async () => {
        const saved = (await source?.save()) ?? false;
        const run = await model.runs.submit(
          path,
          (args.parameters ?? {}) as Record<string, unknown>,
          {
            target: targetOf(args),
            resume: typeof args.resume === 'string' ? args.resume : undefined
          }
        );
        if (typeof args.target === 'string') {
          model.targets.choose(args.target);
        }
        followRun(context, run, saved);
        void app.commands.execute(CommandIDs.openPanel, { section: 'runs' });
      });
      // What was saved on the way is what the panel should show.
      if (source && model.pipeline.of(source).stale) {
        await convert(context, source);
      }
    }
  });
}

/** Run with another target, other parameters, or from where an earlier run came. */
function addRunWith(options: INotebookCommandOptions): void {
  const { app, context } = options;
  const { trans, model } = context;
  app.commands.addCommand(CommandIDs.runWith, {
    label: trans.__('Run Notebook as Pipeline With…'),
    caption: () =>
      noNotebook(options) ??
      trans.__('Choose target, parameters, or a run to go on from'),
    icon: runIcon,
    describedBy: ARGS.run,
    isEnabled: () => noNotebook(options) === null,
    execute: async () => {
      const { source } = model.pipeline;
      if (!source) {
        return;
      }
      const known = model.pipeline.of(source);
      if (!known.conversion || known.stale) {
        void app.commands.execute(CommandIDs.openPanel, {
          section: 'pipeline'
        });
        await convert(context, source);
      }
      const { conversion, entered } = model.pipeline.of(source);
      if (!conversion) {
        return;
      }
      const { askRun } = await import('../dialogs/run');
      const asked = await askRun(context, source.path, conversion, entered);
      if (asked) {
        await app.commands.execute(CommandIDs.run, {
          path: source.path,
          target: asked.target,
          parameters: asked.parameters as ReadonlyPartialJSONObject,
          ...(asked.resume ? { resume: asked.resume } : {})
        });
      }
    }
  });
}

/** Run the notebook both ways and compare; the panel shows how far it is and what was found. */
function addCheck(options: INotebookCommandOptions): void {
  const { app, context } = options;
  const { trans, model } = context;
  app.commands.addCommand(CommandIDs.check, {
    label: trans.__('Check Notebook Against Its Pipeline'),
    icon: checkIcon,
    caption: () =>
      noNotebook(options) ??
      trans.__(
        'Run the notebook in one kernel and as a pipeline on this machine, and compare'
      ),
    describedBy: ARGS.run,
    isEnabled: () => noNotebook(options) === null,
    execute: async args => {
      const { source } = model.pipeline;
      if (!source) {
        return;
      }
      void app.commands.execute(CommandIDs.openPanel, { section: 'pipeline' });
      // Converting saves first, and what cannot be a pipeline cannot be compared with one.
      if (await convert(context, source)) {
        await model.checks.start(
          source.path,
          (args.parameters ?? {}) as Record<string, unknown>
        );
      }
    }
  });
}

/** The current target in words. */
function whereRuns({ model, trans }: IContext): string {
  const { current } = model.targets;
  return current === undefined || current === LOCAL
    ? trans.__('this machine')
    : current;
}

function addReveal(options: INotebookCommandOptions): void {
  const { app, context } = options;
  const { trans, model } = context;
  app.commands.addCommand(CommandIDs.reveal, {
    label: trans.__('Go to Cell'),
    caption: trans.__('Show a cell of a notebook'),
    describedBy: ARGS.reveal,
    isEnabled: args => typeof args.path === 'string',
    execute: async args => {
      const source = await openNotebook(options, String(args.path));
      if (!source || typeof args.cell !== 'number') {
        return;
      }
      const { cells } = model.pipeline.of(source);
      const now = source.snapshot().cells.indexOf(cells[args.cell]);
      await revealCell(
        source.panel,
        now >= 0 ? now : args.cell,
        typeof args.line === 'number' ? args.line : null
      );
    }
  });
}

function addSteps(options: INotebookCommandOptions): void {
  const { app, context } = options;
  const { trans } = context;
  const cellOf = (args: ReadonlyPartialJSONObject) =>
    codeCell(options, args)?.cell.model ?? null;
  const reason = (args: ReadonlyPartialJSONObject): string | null =>
    noNotebook(options) ??
    (cellOf(args) ? null : trans.__('Select a code cell first'));
  app.commands.addCommand(CommandIDs.markStep, {
    label: trans.__('Set Pipeline Step of Cell…'),
    caption: args =>
      reason(args) ??
      trans.__('Name the pipeline step that this cell belongs to'),
    icon: pipelineIcon,
    describedBy: ARGS.step,
    isEnabled: args => reason(args) === null,
    execute: async args => {
      const cell = cellOf(args);
      if (!cell) {
        return;
      }
      const step =
        typeof args.step === 'string'
          ? args.step
          : (
              await InputDialog.getText({
                title: trans.__('Pipeline step of this cell'),
                label: trans.__('Small letters, digits and hyphens'),
                text: stepOf(cell),
                pattern: STEP_PATTERN.source,
                required: true
              })
            ).value;
      if (step) {
        setStep(cell, step);
      }
    }
  });
  app.commands.addCommand(CommandIDs.clearStep, {
    label: trans.__('Clear Pipeline Step of Cell'),
    caption: args =>
      reason(args) ??
      trans.__('Let the converter choose the step of this cell'),
    describedBy: ARGS.ofCell,
    isEnabled: args => {
      const cell = cellOf(args);
      return cell !== null && stepOf(cell) !== '';
    },
    execute: args => {
      const cell = cellOf(args);
      if (cell) {
        setStep(cell, '');
      }
    }
  });
}

/** The open notebook at a path, in front; opened where it is not. */
async function openNotebook(
  { app, context }: INotebookCommandOptions,
  path: string
): Promise<NotebookSource | null> {
  const open = context.model.pipeline.at(path);
  if (open instanceof NotebookSource) {
    app.shell.activateById(open.panel.id);
    return open;
  }
  const panel: unknown = await app.commands.execute('docmanager:open', {
    path
  });
  if (!(panel instanceof NotebookPanel)) {
    return null;
  }
  await panel.context.ready;
  await panel.revealed;
  const source = context.model.pipeline.at(path);
  return source instanceof NotebookSource ? source : null;
}
