import { NotebookCheck, Verdict } from '../api';
import { CheckModel } from '../models/check';
import { sentence } from '../panels/check';
import { IRequest, path, serve, trans, until } from './helpers';

function aCheck(change: Partial<NotebookCheck> = {}): NotebookCheck {
  return {
    name: 'check-1',
    notebook: 'a.ipynb',
    phase: 'Running',
    source_digest: 'sha256:a',
    parameters: {},
    progress: 'single kernel: cell 0 (1 of 2)',
    started: 1,
    finished: null,
    verdict: null,
    error: null,
    ...change
  };
}

function aVerdict(change: Partial<Verdict> = {}): Verdict {
  return {
    notebook: 'a.ipynb',
    outcome: 'equal',
    equal: { values: 2, outputs: 1, files: 0, logged: 0 },
    differences: [],
    uncompared: [],
    stopped: null,
    kernel: 'python3',
    steps: 2,
    ...change
  };
}

/** A server that has at most one check. */
function setup(first: NotebookCheck | null, refuse = false) {
  let check = first;
  const { client, requests } = serve((request: IRequest) => {
    if (request.method === 'GET') {
      return { json: { checks: check ? [check] : [] } };
    }
    if (refuse) {
      return {
        status: 409,
        json: {
          code: 'check-goes-on',
          message: 'again',
          fix: '',
          blame: 'user'
        }
      };
    }
    check = check ?? aCheck();
    return { json: check };
  });
  const model = new CheckModel(client);
  return { model, requests, say: (now: NotebookCheck) => (check = now) };
}

describe('CheckModel', () => {
  it('finds a check that goes on after a reload, and follows it by events', async () => {
    const { model, requests, say } = setup(aCheck());
    expect(model.of('a.ipynb').check).toBeNull();
    await until(() => model.of('a.ipynb').check?.phase === 'Running');
    expect(requests[0].url.searchParams.get('notebook')).toBe('a.ipynb');
    expect(requests[0].url.searchParams.get('target')).toBeNull();
    say(aCheck({ phase: 'Succeeded', verdict: aVerdict() }));
    model.poke('check-other');
    model.poke('check-1');
    await until(() => model.of('a.ipynb').check?.phase === 'Succeeded');
    expect(requests.length).toBe(2);
    model.dispose();
  });

  it('starts with the parameters and stops by name', async () => {
    const { model, requests } = setup(null);
    await model.start('a.ipynb', { n: 3 });
    expect(model.of('a.ipynb').check?.name).toBe('check-1');
    await model.stop('a.ipynb');
    const sent = requests.filter(request => request.method === 'POST');
    expect(sent.map(path)).toEqual(['checks', 'checks/check-1/stop']);
    expect(sent[0].body).toEqual({ path: 'a.ipynb', parameters: { n: 3 } });
    model.dispose();
  });

  it('tells why a check was not started, and shows the one that goes on', async () => {
    const { model } = setup(aCheck(), true);
    await model.start('a.ipynb', {});
    expect(model.of('a.ipynb').error?.code).toBe('check-goes-on');
    await until(() => model.of('a.ipynb').check !== null);
    expect(model.of('a.ipynb').busy).toBe(false);
    model.dispose();
  });
});

describe('sentence', () => {
  const difference = {
    kind: 'value' as const,
    what: 'x',
    single: '1',
    pipeline: '2',
    cell: 0,
    path: '',
    unsteady: false
  };
  it.each([
    [aVerdict(), 'Equal: 2 values, 1 output'],
    [
      aVerdict({ equal: { values: 1, outputs: 0, files: 1, logged: 2 } }),
      'Equal: 1 value, 0 outputs, 1 file, 2 logged artifacts'
    ],
    [
      aVerdict({ outcome: 'different', differences: [difference] }),
      'Different: 1 difference. Equal are 2 values, 1 output'
    ],
    [
      aVerdict({ outcome: 'unsteady' }),
      'Not decided: what differs, differs between two plain runs too. Equal are 2 values, 1 output'
    ]
  ])('%#', (verdict, expected) => {
    expect(sentence(verdict, trans)).toBe(expected);
  });
});
