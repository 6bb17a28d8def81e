import { MlopsClient, Status } from '../api';
import { Resource } from './resource';

/** How the two halves of the product fit: `missing` is a server without the extension. */
export type Fit =
  'unknown' | 'fits' | 'missing' | 'server-older' | 'page-older';

/** The server part: whether it is there, its version, and what it stores. */
export class ServerModel extends Resource<Status> {
  constructor(
    private _client: MlopsClient,
    /** Version of this front end. */
    readonly version: string
  ) {
    super();
  }

  get fit(): Fit {
    if (this.error?.status === 404) {
      return 'missing';
    }
    return this.value ? compare(this.version, this.value.version) : 'unknown';
  }

  protected load(): Promise<Status> {
    return this._client.status();
  }
}

/** What differs between a front end and a server version; npm and Python spell pre-releases differently. */
export function compare(page: string, server: string): Fit {
  const [mine, theirs] = [canonical(page), canonical(server)];
  if (mine === theirs) {
    return 'fits';
  }
  const [a, b] = [release(mine), release(theirs)];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) {
      return difference > 0 ? 'server-older' : 'page-older';
    }
  }
  // The same release, another pre-release: the page is what is easily loaded again.
  return 'page-older';
}

/** `1.2.0-alpha.1` and `1.2.0a1` alike. */
function canonical(version: string): string {
  return version
    .toLowerCase()
    .replace(/\+.*$/, '')
    .replace(/-?(alpha|a)\.?/, 'a')
    .replace(/-?(beta|b)\.?/, 'b')
    .replace(/-?rc\.?/, 'rc');
}

function release(version: string): number[] {
  return (version.match(/^[\d.]+/)?.[0] ?? '')
    .split('.')
    .filter(part => part !== '')
    .map(Number);
}
