/**
 * The only module that talks to the server: one method per operation of `api.yaml`, one error class.
 */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';

import type { components } from './api-types';
import { MlopsError } from './error';
import { RegistryClient } from './registry';
import { RunFilesClient } from './runfiles';

type Schemas = components['schemas'];

export { MlopsError, asMlopsError } from './error';

export type CellEdit = Schemas['CellEdit'];
export type Check = Schemas['Check'];
export type Conversion = Schemas['Conversion'];
export type Deployment = Schemas['Deployment'];
export type DeployRequest = Omit<Schemas['ServiceRequest'], 'model' | 'target'>;
export type Diagnostic = Schemas['Diagnostic'];
export type Difference = Schemas['Difference'];
export type Failure = Schemas['Failure'];
export type Logs = Schemas['Logs'];
export type LogLine = Schemas['LogLine'];
export type Model = Schemas['Model'];
export type ModelVersion = Schemas['ModelVersion'];
export type NotebookCheck = Schemas['NotebookCheck'];
export type Parameter = Schemas['Parameter'];
export type Phase = Schemas['Phase'];
export type PlannedStep = Schemas['PlannedStep'];
export type Prediction = Schemas['Prediction'];
export type Run = Schemas['Run'];
export type Runs = Schemas['Runs'];
export type Service = Schemas['Service'];
export type StartedRun = Schemas['StartedRun'];
export type Status = Schemas['Status'];
export type StepChange = Schemas['StepChange'];
export type StepRun = Schemas['StepRun'];
export type Target = Schemas['Target'];
export type Targets = Schemas['Targets'];
export type TargetSettings = Schemas['TargetSettings'];
export type Tensor = Schemas['Tensor'];
export type Verdict = Schemas['Verdict'];

/** Routes that are about targets themselves, or about none; a check runs on the server's own machine. */
const ABOUT_TARGETS: ReadonlySet<string> = new Set([
  'targets',
  'status',
  'convert',
  'checks',
  'steps',
  'options'
]);

/** Below the server's base URL. */
const ROOT = 'jupyter-mlops/api/v1';

/** What can be said to a run that goes on. */
export type RunVerb = 'stop' | 'pause' | 'unpause' | 'approve';

/** Names of a service; together they are unique. */
export interface IServiceKey {
  namespace: string;
  name: string;
  /** Where it is; the current target where absent. */
  target?: string;
}

/** Typed calls of the REST interface. Every method rejects with `MlopsError` and nothing else. */
export class MlopsClient {
  constructor(
    readonly serverSettings: ServerConnection.ISettings,
    readonly trans: TranslationBundle,
    /** Name of the target that everything but `targets` is about; the server's default one where absent. */
    readonly target?: string
  ) {}

  /** The same at a target. */
  at(target: string | undefined): MlopsClient {
    return target === this.target
      ? this
      : new MlopsClient(this.serverSettings, this.trans, target);
  }

  /** All targets; no cluster is asked. */
  targets(): Promise<Targets> {
    return this._json('GET', ['targets']);
  }

  checkTarget(name: string): Promise<Target> {
    return this._json('POST', ['targets', name, 'check']);
  }

  setTarget(name: string, settings: TargetSettings): Promise<Target> {
    return this._json('PUT', ['targets', name], { body: settings });
  }

  /** How a model would be served at the target. */
  deployment(query: { model: string; runtime?: string }): Promise<Deployment> {
    return this._json('GET', ['deployment'], { query });
  }

  status(): Promise<Status> {
    return this._json('GET', ['status']);
  }

  /** For a target that is named also the environment, and what does not fit there: a kernel and registries are asked. */
  convert(path: string, target?: string): Promise<Conversion> {
    return this._json('POST', ['convert'], {
      query: { target },
      body: { path }
    });
  }

  /** Edits of the cells of an open notebook that give the steps that are wanted; nothing is saved. */
  async editSteps(
    path: string,
    content: unknown,
    change: StepChange
  ): Promise<CellEdit[]> {
    const found = await this._json<Schemas['CellEdits']>('POST', ['steps'], {
      body: { path, content, change }
    });
    return found.edits;
  }

  /** Why values of a cell's metadata do not fit, by their key. */
  async unfit(
    options: Record<string, unknown>
  ): Promise<Readonly<Record<string, string>>> {
    const found = await this._json<Schemas['OptionsAnswer']>(
      'POST',
      ['options'],
      { body: { options } }
    );
    return found.unfit;
  }

  /** The last check of a notebook, or none. */
  async checks(notebook: string): Promise<NotebookCheck[]> {
    const found = await this._json<Schemas['NotebookChecks']>(
      'GET',
      ['checks'],
      { query: { notebook } }
    );
    return found.checks;
  }

  startCheck(
    path: string,
    parameters: Record<string, unknown>
  ): Promise<NotebookCheck> {
    return this._json('POST', ['checks'], { body: { path, parameters } });
  }

  stopCheck(name: string): Promise<NotebookCheck> {
    return this._json('POST', ['checks', name, 'stop']);
  }

  workflow(path: string): Promise<string> {
    return this._text('POST', ['workflow'], { body: { path } });
  }

  runs(options: { limit?: number; before?: number } = {}): Promise<Runs> {
    return this._json('GET', ['runs'], { query: options });
  }

  submit(
    path: string,
    parameters: Record<string, unknown>,
    resume?: string
  ): Promise<StartedRun> {
    return this._json('POST', ['runs'], {
      body: { path, parameters, target: this.target, resume }
    });
  }

  run(name: string): Promise<Run> {
    return this._json('GET', ['runs', name]);
  }

  stopRun(name: string): Promise<Run> {
    return this.controlRun(name, 'stop');
  }

  controlRun(name: string, verb: RunVerb): Promise<Run> {
    return this._json('POST', ['runs', name, verb]);
  }

  deleteRun(name: string): Promise<void> {
    return this._none('DELETE', ['runs', name]);
  }

  runLogs(
    name: string,
    query: { step?: string; offset?: number; limit?: number } = {}
  ): Promise<Logs> {
    return this._json('GET', ['runs', name, 'logs'], { query });
  }

  executedNotebook(name: string): Promise<unknown> {
    return this._json('GET', ['runs', name, 'notebook']);
  }

  runWorkflow(name: string): Promise<string> {
    return this._text('GET', ['runs', name, 'workflow']);
  }

  /** What runs keep beside their record. */
  get runFiles(): RunFilesClient {
    return new RunFilesClient({
      json: path => this._json('GET', path),
      blob: async (path, query) =>
        (await this._request('GET', path, { query })).blob()
    });
  }

  /** Datasets and lineage. */
  get registry(): RegistryClient {
    return new RegistryClient({
      json: (path, query) => this._json('GET', path, { query }),
      remove: (path, query) => this._none('DELETE', path, query)
    });
  }

  setAlias(
    model: string,
    alias: string,
    tag: string,
    reason = ''
  ): Promise<Model> {
    return this._json('PUT', ['models', model, 'aliases', alias], {
      body: { tag, ...(reason ? { reason } : {}) }
    });
  }

  deleteVersion(model: string, tag: string): Promise<void> {
    return this._none('DELETE', ['models', model, 'versions', tag]);
  }

  async services(): Promise<Service[]> {
    return (await this._json<Schemas['Services']>('GET', ['services']))
      .services;
  }

  deploy(model: string, options: DeployRequest = {}): Promise<Service> {
    return this._json('POST', ['services'], {
      body: { ...options, model, target: this.target }
    });
  }

  service(key: IServiceKey): Promise<Service> {
    return this._json('GET', servicePath(key));
  }

  stopService(key: IServiceKey): Promise<Service> {
    return this._json('POST', [...servicePath(key), 'stop']);
  }

  startService(key: IServiceKey): Promise<Service> {
    return this._json('POST', [...servicePath(key), 'start']);
  }

  deleteService(key: IServiceKey): Promise<void> {
    return this._none('DELETE', servicePath(key));
  }

  serviceLogs(
    key: IServiceKey,
    query: { offset?: number; limit?: number } = {}
  ): Promise<Logs> {
    return this._json('GET', [...servicePath(key), 'logs'], { query });
  }

  sample(key: IServiceKey): Promise<Schemas['Sample']> {
    return this._json('GET', [...servicePath(key), 'sample']);
  }

  predict(key: IServiceKey, instances: unknown[]): Promise<Prediction> {
    return this._json('POST', [...servicePath(key), 'predict'], {
      body: { instances }
    });
  }

  private async _json<T>(
    method: string,
    path: string[],
    options: IRequest = {}
  ): Promise<T> {
    const response = await this._request(method, path, options);
    return (await response.json()) as T;
  }

  private async _text(
    method: string,
    path: string[],
    options: IRequest = {}
  ): Promise<string> {
    return (await this._request(method, path, options)).text();
  }

  private async _none(
    method: string,
    path: string[],
    query: IRequest['query'] = {}
  ): Promise<void> {
    await this._request(method, path, { query });
  }

  private async _request(
    method: string,
    path: string[],
    { query = {}, body }: IRequest
  ): Promise<Response> {
    const url =
      URLExt.join(
        this.serverSettings.baseUrl,
        ROOT,
        ...path.map(encodeURIComponent)
      ) +
      queryString(
        ABOUT_TARGETS.has(path[0]) ? query : { target: this.target, ...query }
      );
    const init: RequestInit = { method };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
    } else if (method === 'POST') {
      init.body = '{}';
    }
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(
        url,
        init,
        this.serverSettings
      );
    } catch (reason) {
      throw new MlopsError(
        {
          code: 'offline',
          message: this.trans.__('Jupyter Server does not answer.'),
          fix: this.trans.__(
            'Check that the server is still running and that you are connected to it.'
          )
        },
        0,
        { cause: reason }
      );
    }
    if (!response.ok) {
      throw await this._error(response);
    }
    return response;
  }

  /** The server's error body, or what can be said of an answer that has none (a proxy, an old server). */
  private async _error(response: Response): Promise<MlopsError> {
    const trans = this.trans;
    let body: Partial<Schemas['Error']> = {};
    try {
      body = (await response.json()) as Partial<Schemas['Error']>;
    } catch {
      // Not JSON: the status has to do.
    }
    return new MlopsError(
      {
        ...body,
        code: body.code ?? `http-${response.status}`,
        message:
          body.message ||
          trans.__('The server answered %1.', String(response.status)),
        fix:
          body.fix ??
          (response.status === 403
            ? trans.__('Sign in again; the session may have ended.')
            : '')
      },
      response.status
    );
  }
}

interface IRequest {
  query?: Record<string, string | number | undefined>;
  body?: unknown;
}

function servicePath(key: IServiceKey): string[] {
  return ['services', key.namespace, key.name];
}

/** `?a=1&b=2` of the values that are set. */
function queryString(query: NonNullable<IRequest['query']>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined) {
      search.set(key, String(value));
    }
  }
  const text = search.toString();
  return text ? `?${text}` : '';
}
