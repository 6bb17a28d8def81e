import { MlopsClient, Phase, Run } from '../api';
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
  constructor(private _client: MlopsClient) {
    super();
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
    parameters: Record<string, unknown>
  ): Promise<Run> {
    const run = await this._client.submit(path, parameters);
    this._put(run);
    return run;
  }

  async stop(name: string): Promise<Run> {
    const run = await this._client.stopRun(name);
    this._put(run);
    return run;
  }

  async delete(name: string): Promise<void> {
    await this._client.deleteRun(name);
    this.set({
      runs: this.runs.filter(run => run.name !== name),
      next: this.value?.next ?? null
    });
  }

  protected async load(): Promise<IRunList> {
    const runs: Run[] = [];
    let next: number | null = null;
    do {
      const limit = Math.min(PAGE_MAX, this._wanted - runs.length);
      const page = await this._client.runs({
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

  /** A run as an action returned it, in its place or at the top. */
  private _put(run: Run): void {
    const known = this.runs.some(other => other.name === run.name);
    this.set({
      runs: known
        ? this.runs.map(other => (other.name === run.name ? run : other))
        : [run, ...this.runs],
      next: this.value?.next ?? null
    });
  }

  private _wanted = PAGE;
}
