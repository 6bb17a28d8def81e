import { Conversion, Diagnostic } from '../api';
import { FitModel, misfits } from '../models/fit';
import { serve, until } from './helpers';

const FINDING: Diagnostic = {
  code: 'image-packages',
  severity: 'warning',
  cell: 0,
  line: null,
  message: 'step:1 lacks tornado 6.4',
  fix: 'pip install tornado==6.4',
  docs: 'docs/notebooks.md#image-packages'
};

function conversion(
  digest: string,
  diagnostics: ReadonlyArray<Diagnostic> = []
): Conversion {
  return {
    pipeline: 'churn',
    source_digest: digest,
    steps: [],
    links: [],
    parameters: [],
    diagnostics: [...diagnostics],
    environment: null
  };
}

describe('FitModel', () => {
  it('asks a target once for each content, beside the conversion', async () => {
    const { client, requests } = serve(() => ({
      json: conversion('sha256:1', [FINDING])
    }));
    const model = new FitModel(client);
    expect(model.of('a.ipynb', 'dev', 'sha256:1').busy).toBe(true);
    model.of('a.ipynb', 'dev', 'sha256:1');
    await until(() => !model.of('a.ipynb', 'dev', 'sha256:1').busy);
    expect(requests.length).toBe(1);
    expect(requests[0].url.searchParams.get('target')).toBe('dev');
    model.of('a.ipynb', 'dev', 'sha256:2');
    model.of('a.ipynb', 'local', 'sha256:2');
    await until(() => !model.of('a.ipynb', 'local', 'sha256:2').busy);
    expect(
      requests.map(request => request.url.searchParams.get('target'))
    ).toEqual(['dev', 'dev', 'local']);
    expect(
      misfits(
        model.known('a.ipynb', 'local'),
        conversion('sha256:1', [{ ...FINDING, cell: 1 }])
      )
    ).toEqual([FINDING]);
    model.dispose();
  });

  it('tells an outage of the target, and looks again when asked or when the target is another place', async () => {
    let away = true;
    const { client, requests } = serve(() =>
      away
        ? { status: 503, json: { code: 'cluster-unreachable', message: 'no' } }
        : { json: conversion('sha256:1') }
    );
    const model = new FitModel(client);
    model.of('a.ipynb', 'dev', 'sha256:1');
    await until(() => model.known('a.ipynb', 'dev').error !== null);
    expect(model.known('a.ipynb', 'dev').error?.code).toBe(
      'cluster-unreachable'
    );
    away = false;
    model.refresh('a.ipynb', 'dev');
    await until(() => model.known('a.ipynb', 'dev').conversion !== null);
    expect(model.known('a.ipynb', 'dev').error).toBeNull();
    model.forget('dev');
    expect(model.known('a.ipynb', 'dev').conversion).toBeNull();
    model.of('a.ipynb', 'dev', 'sha256:1');
    await until(() => model.known('a.ipynb', 'dev').conversion !== null);
    expect(requests.length).toBe(3);
    model.dispose();
  });

  it('says nothing twice, and nothing where nothing is known', () => {
    const known = conversion('sha256:1', [FINDING]);
    const fit = { busy: false, conversion: known, error: null };
    expect(misfits(fit, known)).toEqual([]);
    expect(misfits(fit, conversion('sha256:2'))).toEqual([]);
    expect(
      misfits({ busy: true, conversion: null, error: null }, known)
    ).toEqual([]);
  });
});
