/**
 * Long work in a notification: what was started from this page is said to go on, to end, or to fail.
 */
import { Notification } from '@jupyterlab/apputils';

import { Service, StartedRun } from '../api';
import { progressOf, progressText } from '../models/progress';
import { isDone } from '../models/runs';
import { LOCAL } from '../models/targets';
import { IContext } from '../tokens';
import { CommandIDs } from './ids';
import { brief } from './report';

/** Milliseconds that the news of an end stays. */
const STAY = 8000;

/**
 * Show a run until it ends. `saved`: the notebook was saved for it, which people are told, as they are of what does not fit its
 * target, where the panel has not said so before.
 */
export function followRun(
  context: IContext,
  run: StartedRun,
  saved = false
): void {
  const { model, trans, commands } = context;
  sayMisfits(context, run);
  const show = {
    label: trans.__('Show'),
    callback: () =>
      void commands.execute(CommandIDs.openRun, {
        run: run.name,
        ...(run.target ? { target: run.target } : {})
      })
  };
  const id = Notification.emit(
    saved
      ? trans.__('Saved the notebook and started %1', run.name)
      : trans.__('Started %1', run.name),
    'in-progress',
    { autoClose: false, progress: 0, actions: [show] }
  );
  let revision = -1;
  const update = () => {
    const now = model.runs.find(run.name);
    if (!now || now.revision === revision) {
      if (!now) {
        // Deleted, or no longer among the runs that are shown.
        model.runs.changed.disconnect(update);
        Notification.dismiss(id);
      }
      return;
    }
    revision = now.revision;
    if (!isDone(now.phase)) {
      Notification.update({
        id,
        message: brief(
          trans.__('%1: %2', now.pipeline, progressText(now, trans)),
          ''
        ),
        type: 'in-progress',
        progress: progressOf(now)
      });
      return;
    }
    model.runs.changed.disconnect(update);
    const done = now.phase === 'Succeeded';
    Notification.update({
      id,
      message: done
        ? trans.__('%1 succeeded', now.name)
        : brief(
            trans.__(
              '%1: %2',
              now.pipeline,
              now.failure?.message || progressText(now, trans)
            ),
            ''
          ),
      type: done ? 'success' : now.phase === 'Stopped' ? 'info' : 'error',
      progress: 1,
      autoClose: done || now.phase === 'Stopped' ? STAY : false,
      actions: [show]
    });
  };
  model.runs.changed.connect(update);
}

function sayMisfits({ model }: IContext, run: StartedRun): void {
  const known = model.fit.known(run.notebook ?? '', run.target ?? LOCAL);
  const shown = new Set(
    known.conversion?.diagnostics.map(({ message }) => message)
  );
  for (const found of run.diagnostics) {
    if (found.severity === 'warning' && !shown.has(found.message)) {
      Notification.warning(brief(found.message, found.fix), {
        autoClose: STAY
      });
    }
  }
}

/** Show a service until it is ready or has failed. */
export function followService(context: IContext, service: Service): void {
  const { model, trans, commands } = context;
  const { name, namespace } = service;
  const test = {
    label: trans.__('Test'),
    callback: () =>
      void commands.execute(CommandIDs.testService, {
        name,
        namespace,
        ...(service.target ? { target: service.target } : {})
      })
  };
  const id = Notification.emit(trans.__('Starting %1', name), 'in-progress', {
    autoClose: false
  });
  const update = () => {
    const now = model.services.find({ name, namespace });
    if (now && now.phase !== 'Ready' && now.phase !== 'Failed') {
      return;
    }
    model.services.changed.disconnect(update);
    if (!now) {
      Notification.dismiss(id);
      return;
    }
    const ready = now.phase === 'Ready';
    Notification.update({
      id,
      message: ready
        ? trans.__('%1 is ready', name)
        : brief(trans.__('%1: %2', name, now.message), now.fix),
      type: ready ? 'success' : 'error',
      autoClose: ready ? STAY : false,
      actions: [test]
    });
  };
  model.services.changed.connect(update);
  update();
}
