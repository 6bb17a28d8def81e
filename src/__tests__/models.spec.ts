import { Event } from '@jupyterlab/services';
import { Stream } from '@lumino/signaling';

import { Model, Run, Service } from '../api';
import { LogModel, KEPT_LINES, plain } from '../models/logs';
import { CHANGED, MlopsModel } from '../models/mlops';
import { DatasetsModel } from '../models/datasets';
import { ModelsModel, hidden } from '../models/models';
import { progressOf, progressText } from '../models/progress';
import { columnsOf, rowsOf, rowsText } from '../models/rows';
import { RunModel } from '../models/run';
import { RunsModel, isDone } from '../models/runs';
import { ServerModel, compare } from '../models/server';
import { ServicesModel } from '../models/services';
import { aRun, path, serve, trans, until } from './helpers';

function aService(change: Partial<Service> = {}): Service {
  return {
    name: 'churn',
    namespace: 'default',
    phase: 'Ready',
    ready: true,
    url: '/x',
    model: 'models/churn@sha256:ab',
    created: 1,
    conditions: [],
    message: '',
    fix: '',
    ...change
  };
}

describe('RunsModel', () => {
  /** A server with many runs, newest first. */
  function many(count: number) {
    return serve(({ url }) => {
      const limit = Number(url.searchParams.get('limit'));
      const before = Number(url.searchParams.get('before') ?? Infinity);
      const all = Array.from({ length: count }, (_, i) =>
        aRun({ name: `r-${i}`, created: count - i, phase: 'Succeeded' })
      ).filter(run => run.created < before);
      const runs = all.slice(0, limit);
      const next = all.length > limit ? runs[runs.length - 1].created : null;
      return { json: { runs, next } };
    });
  }

  it('is loading, then has data', async () => {
    const { client } = many(3);
    const model = new RunsModel(client);
    let changes = 0;
    model.changed.connect(() => changes++);
    expect([model.value, model.error, model.runs]).toEqual([null, null, []]);
    await model.refresh();
    expect(model.runs.map(run => run.name)).toEqual(['r-0', 'r-1', 'r-2']);
    expect(model.hasMore).toBe(false);
    expect(changes).toBe(1);
    model.dispose();
  });

  it('pages, and a reload keeps what is shown', async () => {
    const { client, requests } = many(320);
    const model = new RunsModel(client);
    await model.refresh();
    expect(model.runs).toHaveLength(50);
    expect(model.hasMore).toBe(true);
    for (const expected of [100, 150, 200, 250]) {
      await model.loadMore();
      expect(model.runs).toHaveLength(expected);
    }
    const asked = requests.length;
    await model.refresh();
    expect(model.runs).toHaveLength(250);
    // 200 is the server's limit, so that 250 runs are two requests.
    expect(requests.length - asked).toBe(2);
    expect(new Set(model.runs.map(run => run.name)).size).toBe(250);
    await model.loadMore();
    await model.loadMore();
    expect(model.runs).toHaveLength(320);
    expect(model.hasMore).toBe(false);
    model.dispose();
  });

  it('keeps the last value beside an error, and recovers', async () => {
    let down = false;
    const { client } = serve(() => {
      if (down) {
        throw new TypeError('down');
      }
      return { json: { runs: [aRun()], next: null } };
    });
    const model = new RunsModel(client);
    await model.refresh();
    down = true;
    await model.refresh();
    expect(model.error?.code).toBe('offline');
    expect(model.runs).toHaveLength(1);
    down = false;
    await model.refresh();
    expect(model.error).toBeNull();
    model.dispose();
  });

  it('shows the outcome of actions at once', async () => {
    const { client } = serve(request => {
      switch (`${request.method} ${path(request)}`) {
        case 'POST runs':
          return { json: aRun({ name: 'new' }) };
        case 'POST runs/new/stop':
          return { json: aRun({ name: 'new', phase: 'Stopped', revision: 2 }) };
        case 'DELETE runs/new':
          return { status: 204 };
        default:
          return { json: { runs: [aRun({ name: 'old' })], next: null } };
      }
    });
    const model = new RunsModel(client);
    await model.refresh();
    await model.submit('a.ipynb', {});
    expect(model.runs.map(run => run.name)).toEqual(['new', 'old']);
    expect(model.active).toHaveLength(2);
    await model.stop('new');
    expect(model.find('new')?.phase).toBe('Stopped');
    expect(model.active.map(run => run.name)).toEqual(['old']);
    await model.delete('new');
    expect(model.find('new')).toBeUndefined();
    model.dispose();
  });

  it('rejects an action that fails and keeps the list', async () => {
    const { client } = serve(request =>
      request.method === 'POST'
        ? { status: 404, json: { code: 'not-found', message: 'no run x' } }
        : { json: { runs: [aRun()], next: null } }
    );
    const model = new RunsModel(client);
    await model.refresh();
    await expect(model.stop('x')).rejects.toMatchObject({ code: 'not-found' });
    expect(model.runs).toHaveLength(1);
    model.dispose();
  });

  it('loads at once on the first of many events, and once more after the last', async () => {
    const { client, requests } = many(1);
    const model = new RunsModel(client);
    await model.refresh();
    for (let event = 0; event < 20; event++) {
      model.poke();
    }
    await until(() => requests.length === 2, 'the first');
    await until(() => requests.length === 3, 'the last');
    await new Promise(resolve => setTimeout(resolve, 700));
    expect(requests).toHaveLength(3);
    model.dispose();
  });

  it('finds a server that was started again by itself', async () => {
    let down = true;
    const { client } = serve(() => {
      if (down) {
        throw new TypeError('Failed to fetch');
      }
      return { json: { runs: [aRun()], next: null } };
    });
    const model = new RunsModel(client);
    await model.refresh();
    expect(model.error?.code).toBe('offline');
    down = false;
    await new Promise<void>(resolve => {
      model.changed.connect(() => model.error === null && resolve());
    });
    expect(model.runs).toHaveLength(1);
    model.dispose();
  }, 20_000);

  it('does nothing once disposed', async () => {
    const { client, requests } = many(1);
    const model = new RunsModel(client);
    model.dispose();
    model.dispose();
    await model.refresh();
    model.poke();
    expect(requests).toHaveLength(0);
    expect(model.isDisposed).toBe(true);
  });
});

it('RunModel takes newer revisions only', async () => {
  const { client } = serve(() => ({ json: aRun({ revision: 3 }) }));
  const model = new RunModel(client, 'churn-a');
  await model.refresh();
  model.offer(aRun({ revision: 2, phase: 'Pending' }));
  expect(model.value).toMatchObject({ revision: 3, phase: 'Running' });
  model.offer(aRun({ revision: 4, phase: 'Failed' }));
  expect(model.value?.phase).toBe('Failed');
  model.dispose();
});

it('ServicesModel deploys, stops, starts and deletes', async () => {
  const { client } = serve(request => {
    switch (`${request.method} ${path(request)}`) {
      case 'POST services':
        return { json: aService({ phase: 'Pending', ready: false }) };
      case 'POST services/default/churn/stop':
        return { json: aService({ phase: 'Stopped', ready: false }) };
      case 'POST services/default/churn/start':
        return { json: aService({ phase: 'Loading', ready: false }) };
      case 'DELETE services/default/churn':
        return { status: 204 };
      default:
        return { json: { services: [aService({ name: 'other' })] } };
    }
  });
  const model = new ServicesModel(client);
  const key = { namespace: 'default', name: 'churn' };
  await model.refresh();
  await model.deploy('churn:v1');
  expect(model.value?.map(service => service.name)).toEqual(['churn', 'other']);
  await model.stop(key);
  expect(model.find(key)?.phase).toBe('Stopped');
  await model.startService(key);
  expect(model.find(key)?.phase).toBe('Loading');
  expect(model.find({ namespace: 'else', name: 'churn' })).toBeUndefined();
  await model.delete(key);
  expect(model.value?.map(service => service.name)).toEqual(['other']);
  model.dispose();
});

/** A version of a model. */
const version = (tag: string, aliases: string[] = []) => ({
  tag,
  aliases,
  digest: 'sha256:a',
  metrics: {},
  created: 1,
  bytes: 1
});

it('ModelsModel sets aliases and deletes versions', async () => {
  let versions = [version('v2'), version('v1')];
  const { client } = serve(({ method }) => {
    if (method === 'PUT') {
      versions = [version('v2', ['champion']), version('v1')];
      return { json: { name: 'churn', versions } as Model };
    }
    if (method === 'DELETE') {
      versions = versions.slice(0, 1);
      return { status: 204 };
    }
    return { json: { models: [{ name: 'churn', versions }], total: 1 } };
  });
  const model = new ModelsModel(client);
  await model.refresh();
  await model.setAlias('churn', 'champion', 'v2');
  expect(model.value![0].versions[0].aliases).toEqual(['champion']);
  await model.deleteVersion('churn', 'v1');
  expect(model.value![0].versions).toHaveLength(1);
  model.dispose();
});

it('ModelsModel looks for models, shows more, and all versions of one', async () => {
  const { client, requests } = serve(({ url }) => {
    if (url.pathname.endsWith('/models/churn')) {
      const versions = [version('v3'), version('v2'), version('v1')];
      return { json: { name: 'churn', versions } };
    }
    const models = [{ name: 'churn', versions: [version('v3')], count: 3 }];
    return { json: { models, total: 250 } };
  });
  const asked = () => requests[requests.length - 1].url.search;
  const model = new ModelsModel(client);
  await model.refresh();
  expect([model.total, model.any, hidden(model.value![0])]).toEqual([
    250,
    true,
    2
  ]);
  await model.more();
  expect(asked()).toContain('limit=200');
  await model.find('chu');
  expect(asked()).toContain('search=chu');
  expect(asked()).toContain('limit=100');
  await model.whole('churn');
  expect(model.value![0].versions).toHaveLength(3);
  await model.refresh();
  expect(model.value![0].versions).toHaveLength(3);
  model.reset();
  expect([model.search, model.value]).toEqual(['chu', null]);
  model.dispose();
});

it('DatasetsModel loads versions and deletes one', async () => {
  const version = (tag: string) => ({
    name: 'rows',
    tag,
    digest: 'sha256:a',
    created: 1,
    bytes: 1,
    run: null,
    rows: null,
    columns: []
  });
  let tags = ['v2', 'v1'];
  const { client } = serve(({ method, url }) => {
    if (method === 'DELETE') {
      tags = tags.filter(tag => !url.pathname.endsWith(tag));
      return { status: 204 };
    }
    return url.pathname.endsWith('/datasets')
      ? { json: { datasets: tags.slice(0, 1).map(version) } }
      : { json: { name: 'rows', versions: tags.map(version) } };
  });
  const model = new DatasetsModel(() => client);
  await model.refresh();
  expect(model.value!.map(one => one.tag)).toEqual(['v2']);
  expect((await model.versions('rows')).map(one => one.tag)).toEqual([
    'v2',
    'v1'
  ]);
  await model.remove('rows', 'v2');
  expect(model.value!.map(one => one.tag)).toEqual(['v1']);
  model.dispose();
});

describe('versions', () => {
  it.each([
    ['1.2.3', '1.2.3', 'fits'],
    ['1.2.0', '1.2.1', 'page-older'],
    ['1.3.0', '1.2.9', 'server-older'],
    ['1.10.0', '1.9.0', 'server-older'],
    ['2.0', '2.0.1', 'page-older'],
    ['1.0.0-alpha.1', '1.0.0a1', 'fits'],
    ['1.0.0-beta.2', '1.0.0b2', 'fits'],
    ['1.0.0-rc.1', '1.0.0rc1', 'fits'],
    ['1.0.0', '1.0.0+local', 'fits'],
    ['1.0.0-rc.1', '1.0.0', 'page-older']
  ])('%s and %s: %s', (page, server, fit) => {
    expect(compare(page, server)).toBe(fit);
  });

  it.each([
    [{ json: { version: '1.0.0', target: 't', disk_bytes: 0 } }, 'fits'],
    [
      { json: { version: '0.9.0', target: 't', disk_bytes: 0 } },
      'server-older'
    ],
    [{ status: 404, text: '<html>' }, 'missing'],
    [{ status: 500, text: '' }, 'unknown']
  ])('%j: %s', async (answer, fit) => {
    const model = new ServerModel(serve(() => answer).client, '1.0.0');
    expect(model.fit).toBe('unknown');
    await model.refresh();
    expect(model.fit).toBe(fit);
    model.dispose();
  });
});

describe('MlopsModel', () => {
  it('asks again when the server says that something changed', async () => {
    const { client, requests } = serve(request => {
      switch (path(request)) {
        case 'runs':
          return { json: { runs: [], next: null } };
        case 'models':
          return { json: { models: [], total: 0 } };
        default:
          return { json: { services: [] } };
      }
    });
    const manager = {} as { stream: Stream<Event.IManager, Event.Emission> };
    manager.stream = new Stream(manager as unknown as Event.IManager);
    const model = new MlopsModel(
      client,
      '1.0.0',
      manager as unknown as Event.IManager
    );
    const changed: string[] = [];
    model.runChanged.connect((_, name) => changed.push(name));
    await model.runs.refresh();
    await model.models.refresh();
    await model.services.refresh();
    const asked = (what: string) =>
      requests.filter(request => path(request) === what).length;
    const emit = (kind: string, schema_id = CHANGED) =>
      manager.stream.emit({
        schema_id,
        kind,
        name: 'x',
        phase: 'Running',
        revision: 1
      });
    for (let i = 0; i < 20; i++) {
      emit('run');
    }
    emit('model');
    emit('service');
    emit('run', 'https://example.org/other');
    emit('unheard-of');
    await until(
      () => asked('runs') > 1 && asked('models') > 1 && asked('services') > 1,
      'a reload of each list'
    );
    // Twenty events are one reload.
    expect(asked('runs')).toBe(2);
    expect(changed).toHaveLength(20);
    model.dispose();
    expect(model.runs.isDisposed).toBe(true);
    model.dispose();
  });
});

describe('LogModel', () => {
  /** A log of `total` lines that is done or not. */
  function log(total: () => number, done: () => boolean) {
    const offsets: number[] = [];
    const model = new LogModel(async ({ offset, limit }) => {
      offsets.push(offset);
      const end = Math.min(total(), offset + limit);
      const lines = [];
      for (let i = offset; i < end; i++) {
        lines.push({ step: 's', text: `line ${i}` });
      }
      return { lines, offset: end, done: done() && end === total() };
    });
    return { model, offsets };
  }

  it('reads page by page to the end and stops', async () => {
    const { model, offsets } = log(
      () => 4500,
      () => true
    );
    expect(model.loaded).toBe(false);
    model.visible = true;
    await until(() => model.done);
    expect(offsets).toEqual([0, 2000, 4000]);
    expect(model.lines).toHaveLength(4500);
    expect(model.lines[4499].text).toBe('line 4499');
    model.dispose();
  });

  it('drops the beginning of what is too long', async () => {
    const { model } = log(
      () => KEPT_LINES + 1500,
      () => true
    );
    model.visible = true;
    await until(() => model.done);
    expect(model.lines).toHaveLength(KEPT_LINES);
    expect(model.dropped).toBe(1500);
    expect(model.lines[0].text).toBe('line 1500');
    model.dispose();
  });

  it('goes on from where it was, and reads nothing while hidden', async () => {
    let total = 2;
    const { model, offsets } = log(
      () => total,
      () => total > 2
    );
    expect(offsets).toHaveLength(0);
    model.visible = true;
    await until(() => model.lines.length === 2);
    total = 5;
    await until(() => model.done);
    expect(model.lines).toHaveLength(5);
    expect(offsets.slice(0, 2)).toEqual([0, 2]);
    model.dispose();
  });

  it('keeps what it has when the server goes away', async () => {
    let down = true;
    const model = new LogModel(async () => {
      if (down) {
        throw new TypeError('gone');
      }
      return { lines: [{ step: 's', text: 'a' }], offset: 1, done: true };
    });
    model.visible = true;
    await until(() => model.error !== null);
    expect(model.loaded).toBe(true);
    down = false;
    model.retry();
    await until(() => model.done);
    expect(model.error).toBeNull();
    model.dispose();
  });

  it.each([
    ['plain', 'plain'],
    ['\u001b[31mred\u001b[0m', 'red'],
    ['\u001b[2K\u001b[1Gdone', 'done'],
    [' 10%\r 50%\r100%', '100%'],
    ['100%\r', '100%']
  ])('%j is read as %j', (text, read) => {
    expect(plain(text)).toBe(read);
  });
});

describe('progress', () => {
  const step = (change: object) => ({
    name: 'a',
    phase: 'Pending' as const,
    cells: [0],
    needs: [],
    message: '',
    cached: false,
    ...change
  });
  const cases: [string, Partial<Run>, number, string][] = [
    ['nothing known', {}, 0, 'Running'],
    [
      'in the second of four',
      {
        steps: [
          step({ phase: 'Succeeded' }),
          step({ name: 'train', phase: 'Running', progress: [1, 2] }),
          step({}),
          step({})
        ]
      },
      0.375,
      'Step 2 of 4 · train, cell 2 of 2'
    ],
    [
      'no cells known',
      { steps: [step({ name: 'train', phase: 'Running', progress: null })] },
      0,
      'Step 1 of 1 · train'
    ],
    [
      'failed',
      {
        phase: 'Failed',
        steps: [step({ phase: 'Failed' }), step({ phase: 'Skipped' })],
        failure: { code: 'c', message: 'm', blame: 'user', fix: '', step: 'a' }
      },
      1,
      'Failed in a'
    ],
    [
      'done',
      { phase: 'Succeeded', steps: [step({ phase: 'Succeeded' })] },
      1,
      'Succeeded'
    ]
  ];
  it.each(cases)('%s', (_, change, part, text) => {
    const run = aRun(change);
    expect(progressOf(run)).toBeCloseTo(part);
    expect(progressText(run, trans)).toBe(text);
  });

  it('knows which phases are the end', () => {
    expect(isDone('Running')).toBe(false);
    expect(isDone('Pending')).toBe(false);
    expect(isDone('Stopped')).toBe(true);
  });
});

describe('rows', () => {
  it('come back as they were', () => {
    const rows = [{ a: 1, b: 'x' }, { a: null }, [1, 2], 3];
    expect(rowsOf(rowsText(rows), trans)).toEqual({ rows, problem: null });
    expect(rowsText([])).toBe('[]');
  });

  it('may be a whole request', () => {
    expect(rowsOf('{"instances": [1]}', trans).rows).toEqual([1]);
  });

  it.each(['', '{', '3', '{"a": 1}', '[]', 'null'])('not %j', text => {
    const { rows, problem } = rowsOf(text, trans);
    expect(rows).toBeNull();
    expect(problem).not.toBe('');
  });

  it('have columns where all are objects', () => {
    expect(columnsOf([{ a: 1 }, { b: 2, a: 3 }])).toEqual(['a', 'b']);
    expect(columnsOf([1, { a: 1 }])).toEqual([]);
    expect(columnsOf([[1]])).toEqual([]);
    expect(columnsOf([null])).toEqual([]);
    expect(columnsOf([])).toEqual([]);
  });
});
