import { MlopsClient, Phase, Run, RunVerb, StartedRun } from '../api';
import { Resource } from './resource';

/** Runs asked for at once; the server's own limit. */
const PAGE_MAX = 200;
const PAGE = 50;

/** Phases after which nothing changes any more. */
const DONE: ReadonlySet<Phase> = new Set<Phase>([
  'Succeeded',
  'Failed',
  'Error',
  'Stopped',
  'Skipped'
]);

export function isDone(phase: Phase): boolean {
  return DONE.has(phase);
}

/** The runs that were loaded, newest first, and where to go on. */
export interface IRunList {
  readonly runs: ReadonlyArray<Run>;
  readonly next: number | null;
}

/** The list of runs, page by page. A reload asks again for as many as are shown. */
export class RunsModel extends Resource<IRunList> {
  /** `client` gives the client of the target whose runs are listed. */
  constructor(client: MlopsClient | (() => MlopsClient)) {
    super();
    this._at = typeof client === 'function' ? client : () => client;
  }

  get runs(): ReadonlyArray<Run> {
    return this.value?.runs ?? [];
  }

  get hasMore(): boolean {
    return (this.value?.next ?? null) !== null;
  }

  get active(): ReadonlyArray<Run> {
    return this.runs.filter(run => !isDone(run.phase));
  }

  find(name: string): Run | undefined {
    return this.runs.find(run => run.name === name);
  }

  /** Show one page more. */
  async loadMore(): Promise<void> {
    this._wanted = this.runs.length + PAGE;
    await this.refresh();
  }

  async submit(
    path: string,
    parameters: Record<string, unknown>,
    options: { target?: string; resume?: string } = {}
  ): Promise<StartedRun> {
    const client = this._to(options.target);
    const started = await client.submit(path, parameters, options.resume);
    const { diagnostics } = started;
    return { ...this._put(started, client), diagnostics };
  }

  async stop(name: string, target?: string): Promise<Run> {
    return this.control(name, 'stop', target);
  }

  async control(name: string, verb: RunVerb, target?: string): Promise<Run> {
    const client = this._to(target);
    return this._put(await client.controlRun(name, verb), client);
  }

  async delete(name: string, target?: string): Promise<void> {
    const client = this._to(target);
    await client.deleteRun(name);
    if (client.target !== this._at().target) {
      return;
    }
    this.set({
      runs: this.runs.filter(run => run.name !== name),
      next: this.value?.next ?? null
    });
  }

  protected async load(): Promise<IRunList> {
    const client = this._at();
    const runs: Run[] = [];
    let next: number | null = null;
    do {
      const limit = Math.min(PAGE_MAX, this._wanted - runs.length);
      const page = await client.runs({
        limit,
        ...(next === null ? {} : { before: next })
      });
      runs.push(...page.runs);
      next = page.runs.length === 0 ? null : (page.next ?? null);
    } while (next !== null && runs.length < this._wanted);
    return { runs, next };
  }

  protected override busy(value: IRunList): boolean {
    return value.runs.some(run => !isDone(run.phase));
  }

  private _to(target: string | undefined): MlopsClient {
    return target === undefined ? this._at() : this._at().at(target);
  }

  /** A run as an action returned it, in its place or at the top; one of another target is not listed here. */
  private _put(run: Run, { target }: MlopsClient): Run {
    if (target !== this._at().target) {
      return run;
    }
    const known = this.runs.some(other => other.name === run.name);
    this.set({
      runs: known
        ? this.runs.map(other => (other.name === run.name ? run : other))
        : [run, ...this.runs],
      next: this.value?.next ?? null
    });
    return run;
  }

  private _at: () => MlopsClient;
  private _wanted = PAGE;
}
