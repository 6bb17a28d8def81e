import { DeployRequest, IServiceKey, MlopsClient, Service } from '../api';
import { Resource } from './resource';

/** The endpoints of a target. */
export class ServicesModel extends Resource<ReadonlyArray<Service>> {
  /** `client` gives the client of the target whose services are listed. */
  constructor(client: MlopsClient | (() => MlopsClient)) {
    super();
    this._at = typeof client === 'function' ? client : () => client;
  }

  find(key: IServiceKey): Service | undefined {
    return this.value?.find(service => same(service, key));
  }

  async deploy(
    model: string,
    options: DeployRequest = {},
    target?: string
  ): Promise<Service> {
    return this._put(await this._to(target).deploy(model, options), target);
  }

  async stop(key: IServiceKey): Promise<Service> {
    return this._put(await this._to(key.target).stopService(key), key.target);
  }

  async startService(key: IServiceKey): Promise<Service> {
    return this._put(await this._to(key.target).startService(key), key.target);
  }

  async delete(key: IServiceKey): Promise<void> {
    await this._to(key.target).deleteService(key);
    this.set((this.value ?? []).filter(service => !same(service, key)));
  }

  protected load(): Promise<ReadonlyArray<Service>> {
    return this._at().services();
  }

  protected override busy(services: ReadonlyArray<Service>): boolean {
    return services.some(
      service => service.phase === 'Pending' || service.phase === 'Loading'
    );
  }

  private _to(target: string | undefined): MlopsClient {
    return target === undefined ? this._at() : this._at().at(target);
  }

  private _put(service: Service, target: string | undefined): Service {
    if (target !== undefined && target !== this._at().target) {
      return service;
    }
    const others = (this.value ?? []).filter(other => !same(other, service));
    this.set([service, ...others]);
    return service;
  }

  private _at: () => MlopsClient;
}

function same(service: IServiceKey, key: IServiceKey): boolean {
  return service.name === key.name && service.namespace === key.namespace;
}
