import { IServiceKey, MlopsClient, Service } from '../api';
import { Resource } from './resource';

/** The endpoints of this machine. */
export class ServicesModel extends Resource<ReadonlyArray<Service>> {
  constructor(private _client: MlopsClient) {
    super();
  }

  find(key: IServiceKey): Service | undefined {
    return this.value?.find(service => same(service, key));
  }

  async deploy(model: string, name?: string): Promise<Service> {
    return this._put(await this._client.deploy(model, name));
  }

  async stop(key: IServiceKey): Promise<Service> {
    return this._put(await this._client.stopService(key));
  }

  async startService(key: IServiceKey): Promise<Service> {
    return this._put(await this._client.startService(key));
  }

  async delete(key: IServiceKey): Promise<void> {
    await this._client.deleteService(key);
    this.set((this.value ?? []).filter(service => !same(service, key)));
  }

  protected load(): Promise<ReadonlyArray<Service>> {
    return this._client.services();
  }

  protected override busy(services: ReadonlyArray<Service>): boolean {
    return services.some(
      service => service.phase === 'Pending' || service.phase === 'Loading'
    );
  }

  private _put(service: Service): Service {
    const others = (this.value ?? []).filter(other => !same(other, service));
    this.set([service, ...others]);
    return service;
  }
}

function same(service: IServiceKey, key: IServiceKey): boolean {
  return service.name === key.name && service.namespace === key.namespace;
}
