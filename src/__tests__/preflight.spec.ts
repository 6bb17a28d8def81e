import { ISessionContext } from '@jupyterlab/apputils';
import { Kernel } from '@jupyterlab/services';
import { PromiseDelegate } from '@lumino/coreutils';
import { Signal } from '@lumino/signaling';

import { Conversion } from '../api';
import { IPreflight, PreflightModel, expression } from '../models/preflight';
import { liveKernel } from '../notebook/kernel';
import { trans, until } from './helpers';

const CONVERSION: Conversion = {
  pipeline: 'churn',
  source_digest: 'sha256:1',
  steps: [{ name: 'a', cells: [0, 1], needs: [], title: '' }],
  links: [{ from: 0, to: 1, names: ['x'], kind: 'data' }],
  parameters: [],
  diagnostics: []
};

const FOUND: IPreflight = { crossings: [], absent: ['later'] };

/** A kernel that answers when told to; requests are counted, and what was interrupted. */
class FakeKernel {
  status: Kernel.Status = 'idle';
  isDisposed = false;
  readonly statusChanged = new Signal<this, Kernel.Status>(this);
  readonly disposed = new Signal<this, void>(this);
  readonly requests: { code: string; silent?: boolean; text: string }[] = [];
  interrupted = 0;
  private _reply = new PromiseDelegate<unknown>();
  private _future: { onIOPub?: (message: unknown) => void } = {};

  set(status: Kernel.Status): void {
    this.status = status;
    this.statusChanged.emit(status);
  }

  interrupt(): Promise<void> {
    this.interrupted += 1;
    return Promise.resolve();
  }

  requestExecute(content: {
    code: string;
    silent?: boolean;
    user_expressions?: Record<string, string>;
  }) {
    this.requests.push({
      code: content.code,
      silent: content.silent,
      text: content.user_expressions!.mlops
    });
    this._reply = new PromiseDelegate<unknown>();
    const reply = this._reply;
    this._future = {};
    return Object.assign(this._future, {
      done: reply.promise,
      dispose: () => reply.reject(new Error('Canceled'))
    });
  }

  begin(): void {
    this._future.onIOPub?.({
      header: { msg_type: 'status' },
      content: { execution_state: 'busy' }
    });
  }

  say(value: unknown): void {
    this._reply.resolve({
      content: { status: 'ok', user_expressions: { mlops: value } }
    });
  }

  die(): void {
    this._reply.reject(new Error('Kernel died'));
  }
}

function setup() {
  const kernel = new FakeKernel();
  const session = { session: { kernel } } as unknown as ISessionContext;
  const model = new PreflightModel(trans);
  const look = () =>
    model.look('b/a.ipynb', CONVERSION, liveKernel(session, trans));
  const state = () => model.of('b/a.ipynb');
  return { kernel, model, look, state };
}

const answered = { status: 'ok', data: { 'application/json': FOUND } };

describe('PreflightModel', () => {
  it('asks an idle kernel without a trace, and shows what it has', async () => {
    const { kernel, look, state } = setup();
    const done = look();
    await until(() => kernel.requests.length === 1);
    expect(kernel.requests[0]).toEqual({
      code: '',
      silent: true,
      text: expression('b/a.ipynb', CONVERSION)
    });
    expect(state().phase).toBe('waiting');
    kernel.begin();
    await until(() => state().phase === 'looking');
    kernel.say(answered);
    await done;
    expect(state()).toMatchObject({
      phase: 'done',
      found: FOUND,
      conversion: CONVERSION,
      error: null
    });
  });

  it('sends nothing to a busy kernel, says that it waits, and can be given up', async () => {
    const { kernel, model, look, state } = setup();
    kernel.set('busy');
    const done = look();
    expect(state().phase).toBe('waiting');
    model.giveUp('b/a.ipynb');
    await done;
    expect(state().phase).toBe('none');
    kernel.set('idle');
    expect(kernel.requests).toEqual([]);
    expect(kernel.interrupted).toBe(0);
    kernel.set('busy');
    const again = look();
    expect(kernel.requests).toEqual([]);
    kernel.set('idle');
    await until(() => kernel.requests.length === 1);
    kernel.say(answered);
    await again;
    expect(state().phase).toBe('done');
  });

  it.each([
    [false, 0],
    [true, 1]
  ])(
    'interrupts only what it has begun itself: %s',
    async (begun, interrupted) => {
      const { kernel, model, look, state } = setup();
      const done = look();
      await until(() => kernel.requests.length === 1);
      if (begun) {
        kernel.begin();
        await until(() => state().phase === 'looking');
      }
      model.giveUp('b/a.ipynb');
      await done;
      expect(kernel.interrupted).toBe(interrupted);
      expect(state()).toMatchObject({ phase: 'none', error: null });
    }
  );

  it('says that no kernel runs, or that it is gone', async () => {
    const { kernel, model, look, state } = setup();
    await model.look('b/a.ipynb', CONVERSION, null);
    expect(state().error?.code).toBe('no-kernel');
    kernel.set('dead');
    await look();
    expect(state().error?.code).toBe('no-kernel');
    kernel.set('idle');
    const done = look();
    await until(() => kernel.requests.length === 1);
    kernel.die();
    await done;
    expect(state().error?.code).toBe('kernel-gone');
    kernel.set('busy');
    const gone = look();
    kernel.set('dead');
    await gone;
    expect(state().error?.code).toBe('kernel-gone');
  });

  it.each([
    [{ status: 'error', ename: 'ModuleNotFoundError' }, 'not-in-kernel'],
    [{ status: 'error', ename: 'AttributeError' }, 'not-in-kernel'],
    [undefined, 'other-kernel'],
    [
      { status: 'error', ename: 'ValueError', evalue: 'hunter2' },
      'preflight-failed'
    ]
  ])('says why it has no answer: %#', async (value, code) => {
    const { kernel, look, state } = setup();
    const done = look();
    await until(() => kernel.requests.length === 1);
    kernel.say(value);
    await done;
    expect(state().error?.code).toBe(code);
    expect(state().error?.message).not.toContain('hunter2');
  });

  it('writes a question that is a text in Python too', () => {
    const text = expression('x/näme "\\.ipynb', CONVERSION);
    const literal = /answer\((.*)\)$/s.exec(text)![1];
    const asked = JSON.parse(JSON.parse(literal) as string) as unknown;
    expect(asked).toEqual({
      notebook: 'näme "\\.ipynb',
      steps: [{ name: 'a', cells: [0, 1] }],
      links: CONVERSION.links
    });
  });
});
