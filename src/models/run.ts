import { MlopsClient, Run } from '../api';
import { Resource } from './resource';
import { isDone } from './runs';

/** One run, followed to its end, for a view of it. */
export class RunModel extends Resource<Run> {
  constructor(
    private _client: MlopsClient,
    readonly name: string
  ) {
    super();
  }

  /** The run as it came with a list or an action; older ones than the one shown are ignored. */
  offer(run: Run): void {
    if (!this.value || run.revision > this.value.revision) {
      this.set(run);
    }
  }

  protected load(): Promise<Run> {
    return this._client.run(this.name);
  }

  protected override busy(run: Run): boolean {
    return !isDone(run.phase);
  }
}
