/**
 * The contract page: what plugins of this extension share, and what other extensions may require.
 */
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { Token } from '@lumino/coreutils';
import { ISignal } from '@lumino/signaling';

import { MlopsClient } from './api';
import { CheckModel } from './models/check';
import { DatasetsModel } from './models/datasets';
import { FitModel } from './models/fit';
import { ModelsModel } from './models/models';
import { PipelineModel } from './models/pipeline';
import { PreflightModel } from './models/preflight';
import { RunsModel } from './models/runs';
import { ServerModel } from './models/server';
import { ServicesModel } from './models/services';
import { TargetsModel } from './models/targets';
import { Direction, LineageNode } from './registry';

/** Everything the front end knows, kept in step with the server. */
export interface IMlopsModel {
  readonly client: MlopsClient;
  /** Whether the server part is there, and in which version. */
  readonly server: ServerModel;
  /** Conversions of the notebooks that are open. */
  readonly pipeline: PipelineModel;
  /** The last check of each notebook. */
  readonly checks: CheckModel;
  /** What targets find in the notebooks that were converted: packages, images, what travels. */
  readonly fit: FitModel;
  /** The last look into the kernel of each notebook: what would go from step to step. */
  readonly preflight: PreflightModel;
  readonly runs: RunsModel;
  readonly models: ModelsModel;
  /** Recorded datasets, each with its newest version. */
  readonly datasets: DatasetsModel;
  /** Where a version (`models/NAME:TAG`, `datasets/NAME:TAG`) comes from, or what was made of it. */
  /** Emitted when the lineage may have changed. */
  readonly told: ReadonlyArray<ISignal<unknown, unknown>>;
  lineage(of: string, direction: Direction): Promise<LineageNode>;
  readonly services: ServicesModel;
  /** Where runs and services go; lists are those of the current target. */
  readonly targets: TargetsModel;
  /** Names of runs that the server says have changed. */
  readonly runChanged: ISignal<IMlopsModel, string>;
}

export const IMlopsModel = new Token<IMlopsModel>(
  'jupyter-mlops:IMlopsModel',
  'Runs, models, services and pipelines, as the server has them.'
);

/** What every panel and view is given. Actions go through commands, so that menus and palette do the same. */
export interface IContext {
  readonly model: IMlopsModel;
  readonly commands: CommandRegistry;
  readonly trans: TranslationBundle;
}

/** Domain of the translations. */
export const DOMAIN = 'jupyter_mlops';
