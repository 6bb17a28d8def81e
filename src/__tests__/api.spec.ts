import { MlopsClient, MlopsError, asMlopsError } from '../api';
import { path, serve } from './helpers';

async function failure(work: Promise<unknown>): Promise<MlopsError> {
  try {
    await work;
  } catch (reason) {
    return reason as MlopsError;
  }
  throw new Error('nothing was thrown');
}

describe('MlopsClient', () => {
  const KEY = { namespace: 'default', name: 'churn' };
  const calls: [
    string,
    (client: MlopsClient) => Promise<unknown>,
    string,
    unknown
  ][] = [
    ['GET', c => c.status(), 'status', null],
    ['POST', c => c.convert('a/b.ipynb'), 'convert', { path: 'a/b.ipynb' }],
    ['POST', c => c.workflow('b.ipynb'), 'workflow', { path: 'b.ipynb' }],
    ['GET', c => c.runs({ limit: 50, before: 1.5 }), 'runs', null],
    [
      'POST',
      c => c.submit('b.ipynb', { lr: 1 }),
      'runs',
      { path: 'b.ipynb', parameters: { lr: 1 } }
    ],
    ['GET', c => c.run('a-1'), 'runs/a-1', null],
    ['POST', c => c.stopRun('a-1'), 'runs/a-1/stop', {}],
    ['DELETE', c => c.deleteRun('a-1'), 'runs/a-1', null],
    ['GET', c => c.runLogs('a-1', { step: 'x' }), 'runs/a-1/logs', null],
    ['GET', c => c.executedNotebook('a-1'), 'runs/a-1/notebook', null],
    ['GET', c => c.runWorkflow('a-1'), 'runs/a-1/workflow', null],
    ['GET', c => c.runFiles.list('a-1'), 'runs/a-1/files', null],
    [
      'GET',
      c => c.runFiles.file('a-1', 'artifacts/x y.png'),
      'runs/a-1/file',
      null
    ],
    ['GET', c => c.registry.models(), 'models', null],
    [
      'PUT',
      c => c.setAlias('team/churn', 'champion', 'v2'),
      'models/team%2Fchurn/aliases/champion',
      { tag: 'v2' }
    ],
    [
      'DELETE',
      c => c.deleteVersion('churn', 'v2'),
      'models/churn/versions/v2',
      null
    ],
    [
      'PUT',
      c => c.setAlias('churn', 'champion', 'v2', 'better'),
      'models/churn/aliases/champion',
      { tag: 'v2', reason: 'better' }
    ],
    ['GET', c => c.registry.history('churn'), 'models/churn/history', null],
    [
      'GET',
      c => c.registry.differences('churn', 'v1', 'v2'),
      'models/churn/diff',
      null
    ],
    ['GET', c => c.registry.datasets(), 'datasets', null],
    [
      'GET',
      c => c.registry.versions('team/rows'),
      'datasets/team%2Frows',
      null
    ],
    [
      'GET',
      c => c.registry.files('rows', 'v1'),
      'datasets/rows/versions/v1',
      null
    ],
    [
      'DELETE',
      c => c.registry.remove('rows', 'v1', ''),
      'datasets/rows/versions/v1',
      null
    ],
    ['GET', c => c.registry.lineage('models/m:v1', 'up'), 'lineage', null],
    ['GET', c => c.services(), 'services', null],
    ['POST', c => c.deploy('churn:v1'), 'services', { model: 'churn:v1' }],
    ['GET', c => c.service(KEY), 'services/default/churn', null],
    ['POST', c => c.stopService(KEY), 'services/default/churn/stop', {}],
    ['POST', c => c.startService(KEY), 'services/default/churn/start', {}],
    ['DELETE', c => c.deleteService(KEY), 'services/default/churn', null],
    ['GET', c => c.serviceLogs(KEY), 'services/default/churn/logs', null],
    ['GET', c => c.sample(KEY), 'services/default/churn/sample', null],
    [
      'POST',
      c => c.predict(KEY, [{ a: 1 }]),
      'services/default/churn/predict',
      { instances: [{ a: 1 }] }
    ]
  ];

  it.each(calls)('%s %s', async (method, call, where, body) => {
    const { client, requests } = serve(() => ({
      status: method === 'DELETE' ? 204 : 200,
      json: { models: [], services: [] }
    }));
    await call(client);
    expect(requests).toHaveLength(1);
    expect(requests[0].method).toBe(method);
    expect(path(requests[0])).toBe(where);
    expect(requests[0].body).toEqual(body);
    expect(requests[0].url.pathname).toMatch(/^\/user\/x\/jupyter-mlops\//);
  });

  it('says which lineage is meant, and why something is deleted', async () => {
    const { client, requests } = serve(({ method }) => ({
      status: method === 'DELETE' ? 204 : 200,
      json: {}
    }));
    await client.registry.lineage('models/m:v1', 'down');
    await client.registry.remove('rows', 'v1', 'it is wrong');
    const asked = requests.map(request => request.url.searchParams);
    expect(asked[0].get('of')).toBe('models/m:v1');
    expect(asked[0].get('direction')).toBe('down');
    expect(asked[1].get('reason')).toBe('it is wrong');
  });

  it('sends only the query values that are set', async () => {
    const { client, requests } = serve(() => ({ json: {} }));
    await client.runLogs('a', { offset: 0, limit: 10 });
    expect([...requests[0].url.searchParams.keys()].slice(0, 2)).toEqual([
      'offset',
      'limit'
    ]);
    expect(requests[0].url.searchParams.has('step')).toBe(false);
    await client.runs();
    expect(requests[1].url.searchParams.has('limit')).toBe(false);
  });

  it('turns an error body into one error', async () => {
    const { client } = serve(() => ({
      status: 422,
      json: {
        code: 'refused',
        blame: 'user',
        message: 'syntax error',
        fix: 'Correct it.',
        cell: 3,
        line: 2,
        diagnostics: [
          { code: 'syntax', severity: 'error', message: 'm', fix: 'f' }
        ]
      }
    }));
    const error = await failure(client.convert('a.ipynb'));
    expect(error).toBeInstanceOf(MlopsError);
    expect(error).toMatchObject({
      message: 'syntax error',
      code: 'refused',
      fix: 'Correct it.',
      cell: 3,
      line: 2,
      status: 422
    });
    expect(error.diagnostics).toHaveLength(1);
  });

  it.each([
    [502, 'http-502'],
    [403, 'http-403'],
    [404, 'http-404']
  ])('says what it can of a %s without our body', async (status, code) => {
    const { client } = serve(() => ({ status, text: '<html>' }));
    const error = await failure(client.status());
    expect(error.code).toBe(code);
    expect(error.status).toBe(status);
    expect(error.message).toContain(String(status));
  });

  it('says that the server does not answer', async () => {
    const { client } = serve(() => {
      throw new TypeError('Failed to fetch');
    });
    const error = await failure(client.status());
    expect(error.code).toBe('offline');
    expect(error.fix).not.toBe('');
    expect(error.cause).toBeDefined();
  });
});

describe('asMlopsError', () => {
  it('keeps ours and names everything else a bug', () => {
    const ours = new MlopsError({ message: 'm', code: 'c' });
    expect(asMlopsError(ours)).toBe(ours);
    expect(asMlopsError(new RangeError('r'))).toMatchObject({
      code: 'bug',
      message: 'r'
    });
    expect(asMlopsError('text').message).toBe('text');
  });
});

describe('api-types.ts', () => {
  it('is what api.yaml makes', () => {
    // The browser's types do not know Node, which runs this test.
    const { spawnSync } = jest.requireActual('child_process');
    const { execPath } = jest.requireActual('process');
    const { status, stdout, stderr } = spawnSync(
      execPath,
      [
        'node_modules/openapi-typescript/bin/cli.js',
        'jupyter_mlops/server/api.yaml',
        '-o',
        'src/api-types.ts',
        '--check'
      ],
      { encoding: 'utf8' }
    );
    expect({ status, output: status ? stdout + stderr : '' }).toEqual({
      status: 0,
      output: ''
    });
  });
});
