/**
 * A server for unit tests: real requests of the real client, answered by a table.
 */
import { ServerConnection } from '@jupyterlab/services';
import { nullTranslator } from '@jupyterlab/translation';

import { MlopsClient, Run } from '../api';

export const trans = nullTranslator.load('jupyter_mlops');

export interface IRequest {
  method: string;
  url: URL;
  body: unknown;
}

/** What the server says; throw for a server that is not there. */
export type Answer = (request: IRequest) => {
  status?: number;
  json?: unknown;
  text?: string;
};

/** A client whose server is `answer`, and the requests that it got. */
export function serve(answer: Answer): {
  client: MlopsClient;
  requests: IRequest[];
} {
  const requests: IRequest[] = [];
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://127.0.0.1:8888/user/x/',
    appendToken: false,
    fetch: async (input: RequestInfo | URL) => {
      const request = input as Request;
      const text = await request.text();
      const got = {
        method: request.method,
        url: new URL(request.url),
        body: text ? (JSON.parse(text) as unknown) : null
      };
      requests.push(got);
      const { status = 200, json, text: raw } = answer(got);
      const body = raw ?? (json === undefined ? null : JSON.stringify(json));
      return new Response(status === 204 ? null : body, { status });
    }
  });
  return { client: new MlopsClient(settings, trans), requests };
}

/** Path of a request below the interface's root. */
export function path({ url }: IRequest): string {
  return url.pathname.replace(/^.*\/jupyter-mlops\/api\/v1\//, '');
}

/** A run with what a test says of it. */
export function aRun(change: Partial<Run> = {}): Run {
  return {
    name: 'churn-a',
    pipeline: 'churn',
    phase: 'Running',
    steps: [],
    created: 100,
    parameters: {},
    models: [],
    metrics: {},
    source_digest: 'sha256:a',
    revision: 1,
    ...change
  };
}

/** Wait for something, looking again and again; fails after a while. */
export async function until(
  condition: () => boolean,
  what = 'the condition'
): Promise<void> {
  const end = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > end) {
      throw new Error(`${what} did not come true`);
    }
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}
