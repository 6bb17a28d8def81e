/**
 * Commands about runs: stop, run again, delete, open what was executed.
 */
import { JupyterFrontEnd } from '@jupyterlab/application';
import {
  Dialog,
  InputDialog,
  Notification,
  showDialog
} from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import {
  deleteIcon,
  notebookIcon,
  refreshIcon,
  stopIcon
} from '@jupyterlab/ui-components';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { MlopsError, Run, RunVerb } from '../api';
import { isDone } from '../models/runs';
import { IContext } from '../tokens';
import { ARGS } from './args';
import { followRun } from './follow';
import { CommandIDs } from './ids';
import { attempt } from './report';

export function addRunCommands(app: JupyterFrontEnd, context: IContext): void {
  const { commands } = app;
  const { model, trans } = context;
  const { runs } = model;
  const named = (args: ReadonlyPartialJSONObject) =>
    typeof args.run === 'string';

  commands.addCommand(CommandIDs.stopRun, {
    label: trans.__('Stop Run'),
    caption: args =>
      named(args) || runs.active.length
        ? trans.__('Stop a run; what its finished steps made stays')
        : trans.__('No run is going on'),
    icon: stopIcon,
    describedBy: ARGS.runName,
    isEnabled: args => named(args) || runs.active.length > 0,
    execute: args =>
      attempt(async () => {
        const name = await chooseRun(context, args, runs.active);
        if (name) {
          await runs.stop(name, targetOf(args));
        }
      })
  });

  commands.addCommand(CommandIDs.runAgain, {
    label: trans.__('Run Again'),
    caption: args =>
      named(args) || runs.runs.length
        ? trans.__(
            'Run the notebook as it is now, with the parameters of a run'
          )
        : trans.__('There is no run yet'),
    icon: refreshIcon,
    describedBy: ARGS.runName,
    isEnabled: args => named(args) || runs.runs.length > 0,
    execute: args =>
      attempt(async () => {
        const name = await chooseRun(context, args, runs.runs);
        if (name) {
          await runAgain(context, name, targetOf(args));
        }
      })
  });

  commands.addCommand(CommandIDs.resumeRun, {
    label: trans.__('Resume Run'),
    caption: trans.__(
      'Run the notebook again; steps that finished and are as they were are not run'
    ),
    icon: refreshIcon,
    describedBy: ARGS.runName,
    isEnabled: named,
    execute: args =>
      attempt(() => runAgain(context, String(args.run), targetOf(args), true))
  });

  const verbs: [string, RunVerb, string, string][] = [
    [
      CommandIDs.pauseRun,
      'pause',
      trans.__('Pause Run'),
      trans.__('Start no further step; steps that run go on')
    ],
    [
      CommandIDs.unpauseRun,
      'unpause',
      trans.__('Continue Run'),
      trans.__('Let a paused run go on')
    ],
    [
      CommandIDs.approveRun,
      'approve',
      trans.__('Approve Run'),
      trans.__('Let the steps go on that wait for a person')
    ]
  ];
  for (const [id, verb, label, caption] of verbs) {
    commands.addCommand(id, {
      label,
      caption: args =>
        named(args) || runs.active.length
          ? caption
          : trans.__('No run is going on'),
      describedBy: ARGS.runName,
      isEnabled: args => named(args) || runs.active.length > 0,
      execute: args =>
        attempt(async () => {
          const name = await chooseRun(context, args, runs.active);
          if (name) {
            await runs.control(name, verb, targetOf(args));
          }
        })
    });
  }

  commands.addCommand(CommandIDs.deleteRun, {
    label: trans.__('Delete Run'),
    caption: trans.__('Delete a run with its logs; models it made stay'),
    icon: deleteIcon,
    describedBy: ARGS.runName,
    isEnabled: named,
    execute: args =>
      attempt(async () => {
        const name = String(args.run);
        const run = runs.find(name);
        const body =
          run && !isDone(run.phase)
            ? trans.__('It is going on and is stopped first.')
            : trans.__(
                'Its logs and outputs are deleted. Models that it made stay.'
              );
        if (await confirmed(context, trans.__('Delete %1?', name), body)) {
          await runs.delete(name, targetOf(args));
        }
      })
  });

  commands.addCommand(CommandIDs.openExecuted, {
    label: trans.__('Open Executed Notebook'),
    caption: trans.__(
      'Save the notebook with the outputs of the run beside the original, and open it'
    ),
    icon: notebookIcon,
    describedBy: ARGS.runName,
    isEnabled: named,
    execute: args =>
      attempt(() =>
        openExecuted(app, context, String(args.run), targetOf(args))
      )
  });
}

/** Ask before something is lost. */
export async function confirmed(
  { trans }: IContext,
  title: string,
  body: string
): Promise<boolean> {
  const result = await showDialog({
    title,
    body,
    buttons: [
      Dialog.cancelButton(),
      Dialog.warnButton({ label: trans.__('Delete') })
    ]
  });
  return result.button.accept;
}

async function chooseRun(
  { trans }: IContext,
  args: ReadonlyPartialJSONObject,
  runs: ReadonlyArray<Run>
): Promise<string | null> {
  if (typeof args.run === 'string') {
    return args.run;
  }
  if (runs.length === 1) {
    return runs[0].name;
  }
  const choice = await InputDialog.getItem({
    title: trans.__('Which run?'),
    items: runs.map(run => run.name)
  });
  return choice.value;
}

/** The target that arguments name; undefined is the current one. */
export function targetOf(args: ReadonlyPartialJSONObject): string | undefined {
  return typeof args.target === 'string' ? args.target : undefined;
}

async function runAgain(
  context: IContext,
  name: string,
  target: string | undefined,
  resume = false
): Promise<void> {
  const { model, trans, commands } = context;
  const run = await theRun(context, name, target);
  if (!run.notebook) {
    throw new MlopsError({
      code: 'not-found',
      message: trans.__('The notebook of %1 is not below this folder.', name),
      fix: trans.__('Open the notebook and press Run there.')
    });
  }
  const source = model.pipeline.at(run.notebook);
  const saved = (await source?.save()) ?? false;
  const next = await model.runs.submit(run.notebook, run.parameters, {
    target: run.target ?? target,
    resume: resume ? name : undefined
  });
  followRun(context, next, saved);
  void commands.execute(CommandIDs.openRun, {
    run: next.name,
    ...(next.target ? { target: next.target } : {})
  });
}

/** A run of the list, or else of the server. */
async function theRun(
  { model }: IContext,
  name: string,
  target: string | undefined
): Promise<Run> {
  const listed = model.runs.find(name);
  return listed && (target === undefined || listed.target === target)
    ? listed
    : model.client.at(target ?? model.targets.current).run(name);
}

/** A copy beside the original, so that the document manager and its viewers can open it like any notebook. */
async function openExecuted(
  app: JupyterFrontEnd,
  context: IContext,
  name: string,
  target: string | undefined
): Promise<void> {
  const { contents } = app.serviceManager;
  const { model, trans } = context;
  const run = await theRun(context, name, target);
  const folder = run.notebook ? PathExt.dirname(run.notebook) : '';
  const path = PathExt.join(folder, `${name}.executed.ipynb`);
  const content = await model.client
    .at(target ?? model.targets.current)
    .executedNotebook(name);
  await contents.save(path, { type: 'notebook', format: 'json', content });
  Notification.info(trans.__('Saved as %1', path), { autoClose: 3000 });
  await app.commands.execute('docmanager:open', { path });
}
