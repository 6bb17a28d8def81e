import { ISessionContext } from '@jupyterlab/apputils';
import { Kernel, KernelMessage } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';
import { PromiseDelegate } from '@lumino/coreutils';

import { MlopsError } from '../api';
import { IAsked, ILiveKernel } from '../models/preflight';

/** Name of our one expression in a request. */
const NAME = 'mlops';

const GONE: ReadonlySet<Kernel.Status> = new Set(['dead', 'terminating']);

/** The kernel of an open notebook; null where none runs. */
export function liveKernel(
  session: ISessionContext,
  trans: TranslationBundle
): ILiveKernel | null {
  const kernel = session.session?.kernel;
  return kernel && !GONE.has(kernel.status)
    ? new LiveKernel(kernel, trans)
    : null;
}

class LiveKernel implements ILiveKernel {
  constructor(
    private _kernel: Kernel.IKernelConnection,
    private _trans: TranslationBundle
  ) {}

  get busy(): boolean {
    return this._kernel.status !== 'idle';
  }

  idle(until: AbortSignal): Promise<void> {
    const kernel = this._kernel;
    const done = new PromiseDelegate<void>();
    const look = () => {
      const over = kernel.isDisposed || GONE.has(kernel.status);
      if (over || kernel.status === 'idle' || until.aborted) {
        kernel.statusChanged.disconnect(look);
        kernel.disposed.disconnect(look);
        until.removeEventListener('abort', look);
        done.resolve();
      }
    };
    kernel.statusChanged.connect(look);
    kernel.disposed.connect(look);
    until.addEventListener('abort', look);
    look();
    return done.promise;
  }

  ask(expression: string): IAsked {
    const begun = new PromiseDelegate<void>();
    const kernel = this._kernel;
    if (kernel.isDisposed || GONE.has(kernel.status)) {
      const answer = Promise.reject(this._gone());
      return { answer, begun: begun.promise, giveUp: () => undefined };
    }
    const future = kernel.requestExecute(
      {
        code: '',
        silent: true,
        store_history: false,
        allow_stdin: false,
        stop_on_error: false,
        user_expressions: { [NAME]: expression }
      },
      true
    );
    let runs = false;
    future.onIOPub = message => {
      if (KernelMessage.isStatusMsg(message)) {
        runs = message.content.execution_state === 'busy';
        if (runs) {
          begun.resolve();
        }
      }
    };
    const answer = future.done.then(
      reply => this._read(reply.content),
      () => {
        throw this._gone();
      }
    );
    const giveUp = () => {
      if (runs) {
        // Ours is what it does: nothing of the person's is interrupted.
        void kernel.interrupt().catch(() => undefined);
      }
      future.dispose();
    };
    return { answer, begun: begun.promise, giveUp };
  }

  private _read(content: KernelMessage.IExecuteReplyMsg['content']): unknown {
    const trans = this._trans;
    const value =
      content.status === 'ok'
        ? (content.user_expressions?.[NAME] as IValue | undefined)
        : undefined;
    if (value?.status === 'ok' && value.data['application/json']) {
      return value.data['application/json'];
    }
    // Of an exception only its kind is told: its text may hold values.
    const kind = value?.status === 'error' ? value.ename : '';
    if (kind === 'ModuleNotFoundError' || kind === 'AttributeError') {
      throw new MlopsError({
        code: 'not-in-kernel',
        message: trans.__(
          'jupyter-mlops is not installed in this kernel’s environment, or is older there.'
        ),
        fix: trans.__('In a cell: %pip install --upgrade jupyter-mlops')
      });
    }
    if (!value) {
      throw new MlopsError({
        code: 'other-kernel',
        message: trans.__('This kernel does not answer such questions.'),
        fix: trans.__('Preflight needs an IPython kernel.')
      });
    }
    throw new MlopsError({
      code: 'preflight-failed',
      message: trans.__('The values could not be examined (%1).', kind),
      fix: trans.__('In a cell, %mlops preflight says more.')
    });
  }

  private _gone(): MlopsError {
    const trans = this._trans;
    return new MlopsError({
      code: 'kernel-gone',
      message: trans.__('The kernel ended before it answered.'),
      fix: trans.__('Start it, run the cells, then look again.')
    });
  }
}

/** The value of a user expression, as Jupyter's protocol has it. */
type IValue =
  | { status: 'ok'; data: Record<string, unknown> }
  | { status: 'error'; ename: string };
