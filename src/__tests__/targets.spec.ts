import { Event } from '@jupyterlab/services';
import { Stream } from '@lumino/signaling';

import { Check, Target } from '../api';
import { optionsOf } from '../dialogs/deploy';
import { resumable } from '../dialogs/run';
import { mirrorsOf } from '../dialogs/target';
import { CHANGED, MlopsModel } from '../models/mlops';
import { TargetsModel, missing } from '../models/targets';
import { blameLabel } from '../parts/cause';
import { healthLabel } from '../parts/health';
import { targetLabel } from '../parts/target';
import { aRun, path, serve, trans, until } from './helpers';

function aTarget(change: Partial<Target> = {}): Target {
  return {
    name: 'dev',
    // eslint-disable-next-line jupyter/no-untranslated-string -- a cluster's name
    title: 'one, namespace ml',
    local: false,
    namespace: 'ml',
    registry: '',
    image: '',
    service_account: '',
    pull_secret: '',
    ca: '',
    queue: '',
    mirrors: {},
    health: 'unknown',
    checks: [],
    ...change
  };
}

const LOCAL = aTarget({ name: 'local', local: true, health: 'ok' });

function aCheck(level: Check['level'], id = 'TK01'): Check {
  return { id, level, title: id, why: 'why', fix: 'fix' };
}

/** A state database, as JupyterLab has it. */
function aState(kept?: unknown) {
  const saved: unknown[] = [];
  return {
    saved,
    fetch: () => Promise.resolve(kept as never),
    save: (_: string, value: unknown) => {
      saved.push(value);
      return Promise.resolve();
    }
  };
}

function aServer(targets: Target[] = [LOCAL, aTarget()], fallback = 'local') {
  return serve(request => {
    switch (path(request)) {
      case 'targets':
        return { json: { targets, default: fallback } };
      case 'targets/dev/check':
        return { json: aTarget({ health: 'fail', checks: [aCheck('fail')] }) };
      case 'targets/dev':
        return { json: aTarget({ image: 'a' }) };
      case 'runs':
        return { json: { runs: [], next: null } };
      case 'models':
        return { json: { models: [] } };
      case 'services':
        return { json: { services: [] } };
      default:
        return { status: 404, json: { message: 'no' } };
    }
  });
}

describe('TargetsModel', () => {
  it.each([
    ['nothing is kept', undefined, 'local', 'local'],
    ['the server has a default', undefined, 'dev', 'dev'],
    ['one is kept', 'dev', 'local', 'dev'],
    ['the one that is kept is gone', 'old', 'local', 'local'],
    ['something odd is kept', 3, 'dev', 'dev']
  ])('begins with the right one where %s', async (_, kept, fallback, now) => {
    const model = new TargetsModel(
      aServer(undefined, fallback).client,
      aState(kept)
    );
    expect(model.current).toBeUndefined();
    await model.restore();
    expect(model.current).toBe(now);
    model.dispose();
  });

  it('begins with this machine where targets cannot be told', async () => {
    const { client } = serve(() => ({ status: 400, json: { message: 'bad' } }));
    const model = new TargetsModel(client, aState());
    await model.restore();
    expect(model.current).toBe('local');
    expect(model.error?.message).toBe('bad');
    model.dispose();
  });

  it('keeps what was chosen', async () => {
    const state = aState();
    const model = new TargetsModel(aServer().client, state);
    await model.restore();
    let changes = 0;
    model.changed.connect(() => changes++);
    model.choose('dev');
    model.choose('dev');
    expect([model.current, changes, state.saved]).toEqual(['dev', 1, ['dev']]);
    model.dispose();
  });

  it('checks, and says why it could not', async () => {
    const { client, requests } = aServer();
    const model = new TargetsModel(client);
    await model.restore();
    const work = model.check('dev');
    expect(model.isBusy('dev')).toBe(true);
    void model.check('dev'); // once is enough
    await work;
    expect(model.isBusy('dev')).toBe(false);
    expect(model.find('dev')?.health).toBe('fail');
    expect(requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
    await model.check('other');
    expect(model.problem('other')?.message).toBe('no');
    model.dispose();
  });

  it('checks with new settings', async () => {
    const { client, requests } = aServer();
    const model = new TargetsModel(client);
    await model.restore();
    const told: string[] = [];
    model.configured.add(name => told.push(name));
    await model.configure('dev', { image: 'a' });
    expect(told).toEqual(['dev']);
    expect(requests.map(request => request.method)).toEqual([
      'GET',
      'PUT',
      'POST'
    ]);
    expect(requests[1].body).toEqual({ image: 'a' });
    model.dispose();
  });
});

describe('MlopsModel at a target', () => {
  function aModel() {
    const { client, requests } = aServer();
    const stream = new Stream<Event.IManager, Event.Emission>(
      {} as Event.IManager
    );
    const events = { stream } as unknown as Event.IManager;
    const model = new MlopsModel(client, '0.1.0', events, aState());
    const asked = (what: string) =>
      requests
        .filter(request => path(request) === what)
        .map(({ url }) => url.searchParams.get('target'));
    return { model, stream, asked };
  }

  it('lists what the current one has, and forgets the others', async () => {
    const { model, asked } = aModel();
    await model.targets.restore();
    await model.runs.refresh();
    expect(asked('runs')).toEqual(['local']);
    model.targets.choose('dev');
    expect(model.runs.value).toBeNull();
    await until(() => model.runs.value !== null);
    expect(asked('runs')).toEqual(['local', 'dev']);
    expect(asked('models')).toEqual([]); // nobody looked at these yet
    model.dispose();
  });

  it('reloads for events of the current one only', async () => {
    const { model, stream, asked } = aModel();
    await model.targets.restore();
    await model.services.refresh();
    const tell = (target: string) =>
      stream.emit({
        schema_id: CHANGED,
        kind: 'service',
        name: 'ml/a',
        phase: 'Ready',
        revision: 1,
        target
      } as unknown as Event.Emission);
    tell('dev');
    tell('local');
    await until(() => asked('services').length > 1);
    expect(asked('services')).toEqual(['local', 'local']);
    model.dispose();
  });

  it('starts a run elsewhere without listing it here', async () => {
    const { client } = serve(request =>
      path(request) === 'targets'
        ? { json: { targets: [LOCAL, aTarget()], default: 'local' } }
        : { json: aRun({ target: 'dev' }) }
    );
    const stream = new Stream({} as Event.IManager);
    const model = new MlopsModel(
      client,
      '1',
      { stream } as unknown as Event.IManager,
      null
    );
    await model.targets.restore();
    const run = await model.runs.submit('a.ipynb', {}, { target: 'dev' });
    expect(run.target).toBe('dev');
    expect(model.runs.runs).toEqual([]);
    model.dispose();
  });
});

describe('words', () => {
  it('say what is missing, the worst first', () => {
    expect(missing(aTarget())).toBeUndefined();
    const checks = [aCheck('ok'), aCheck('warn', 'W'), aCheck('fail', 'F')];
    expect(missing(aTarget({ checks }))?.id).toBe('F');
    expect(missing(aTarget({ checks: checks.slice(0, 2) }))?.id).toBe('W');
  });

  it('name targets, health and who can change it', () => {
    expect(targetLabel('local', trans)).toBe('This machine');
    expect(targetLabel(undefined, trans)).toBe('This machine');
    expect(targetLabel('dev', trans)).toBe('dev');
    const levels = ['ok', 'warn', 'fail', 'skip', 'unknown'] as const;
    expect(new Set(levels.map(one => healthLabel(one, trans))).size).toBe(5);
    const blames = ['user', 'us', 'platform'];
    expect(new Set(blames.map(one => blameLabel(one, trans))).size).toBe(3);
  });
});

describe('dialogs', () => {
  const nothing = {
    target: 'dev',
    name: '',
    gpu: '',
    memory: '',
    image: '',
    runtime: ''
  };

  it('send what was filled in', () => {
    expect(optionsOf(nothing)).toEqual({});
    const all = {
      ...nothing,
      name: ' s ',
      gpu: '2',
      memory: '4Gi',
      image: 'i',
      runtime: 'r'
    };
    expect(optionsOf(all)).toEqual({
      name: 's',
      gpu: 2,
      memory: '4Gi',
      image: 'i',
      runtime: 'r'
    });
    expect(optionsOf({ ...all, target: 'local' })).toEqual({ name: 's' });
    expect(optionsOf({ ...nothing, gpu: 'many' })).toEqual({});
  });

  it.each([
    ['', {}],
    ['docker.io/=m.example/', { 'docker.io/': 'm.example/' }],
    ['a=b, c = d=e ,', { a: 'b', c: 'd=e' }],
    ['a', { a: '' }]
  ])('read %j as mirrors', (text, table) => {
    expect(mirrorsOf(text)).toEqual(table);
  });

  it('offer to go on from runs that did not end well', () => {
    const runs = [
      aRun({ name: 'a', phase: 'Running' }),
      aRun({ name: 'b', phase: 'Failed' }),
      aRun({ name: 'c', phase: 'Stopped' }),
      aRun({ name: 'd', phase: 'Failed', pipeline: 'other' }),
      aRun({ name: 'e', phase: 'Succeeded' })
    ];
    expect(resumable(runs, 'churn').map(({ name }) => name)).toEqual([
      'b',
      'c'
    ]);
  });
});
