import { ITranslator } from '@jupyterlab/translation';
import {
  LabIcon,
  PanelWithToolbar,
  ReactWidget,
  SidePanel,
  ToolbarButton,
  refreshIcon
} from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import { AccordionPanel } from '@lumino/widgets';
import React from 'react';

import { CommandIDs } from '../commands/ids';
import { pipelineIcon } from '../icons';
import { ModelsModel } from '../models/models';
import { ServicesModel } from '../models/services';
import { TargetPicker } from '../parts/picker';
import { DOMAIN, IContext } from '../tokens';
import { ModelsPanel } from './models';
import { PipelinePanel } from './pipeline';
import { RunsPanel } from './runs';
import { ServicesPanel } from './services';
import { TargetsPanel } from './targets';
import { VersionNote } from './version';

/** Sections of the sidebar, in their order. */
export type Section = 'pipeline' | 'runs' | 'models' | 'services' | 'targets';

/** Share of the height, in the order of the sections, where all are open. */
const SIZES = [5, 3, 3, 3, 4];

/** Pixels below which an open section shows nothing of use. */
const LEAST = 90;

/** The one sidebar: an accordion of what the product knows. */
export class MlopsSidebar extends SidePanel {
  constructor(context: IContext, translator: ITranslator) {
    super({ translator });
    const trans = translator.load(DOMAIN);
    const { model, commands } = context;
    this.id = 'jupyter-mlops-sidebar';
    this.title.icon = pipelineIcon;
    this.title.caption = trans.__('MLOps');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('MLOps'));
    this.node.tabIndex = -1;
    this.addClass('jp-mlops-sidebar');
    this._context = context;

    this.header.addWidget(
      ReactWidget.create(<VersionNote context={context} />)
    );
    this.header.addWidget(
      ReactWidget.create(<TargetPicker context={context} />)
    );
    this._add(
      'pipeline',
      trans.__('Pipeline'),
      <PipelinePanel context={context} />,
      {
        icon: pipelineIcon,
        label: trans.__('Convert the notebook'),
        onClick: () => void commands.execute(CommandIDs.convert)
      }
    );
    this._add('runs', trans.__('Runs'), <RunsPanel context={context} />, {
      icon: refreshIcon,
      label: trans.__('Refresh runs'),
      onClick: () => void model.runs.refresh()
    });
    this._add('models', trans.__('Models'), <ModelsPanel context={context} />, {
      icon: refreshIcon,
      label: trans.__('Refresh models'),
      onClick: () => {
        void model.models.refresh();
        void model.datasets.refresh();
      }
    });
    this._add(
      'services',
      trans.__('Services'),
      <ServicesPanel context={context} />,
      {
        icon: refreshIcon,
        label: trans.__('Refresh services'),
        onClick: () => void model.services.refresh()
      }
    );
    this._add(
      'targets',
      trans.__('Targets'),
      <TargetsPanel context={context} />,
      {
        icon: refreshIcon,
        label: trans.__('Refresh targets'),
        onClick: () => void model.targets.refresh()
      }
    );
    this._accordion.collapse(this._sections.indexOf('models'));
    this._accordion.collapse(this._sections.indexOf('services'));
    this._accordion.collapse(this._sections.indexOf('targets'));
    this._accordion.setRelativeSizes(SIZES);
    this._accordion.expansionToggled.connect(this._onToggled, this);
    model.models.changed.connect(this._onModels, this);
    model.services.changed.connect(this._onServices, this);
  }

  /** Open a section, leaving the others as they are. */
  expand(section: Section): void {
    const index = this._sections.indexOf(section);
    if (index >= 0) {
      this._accordion.expand(index);
      this._onToggled(this._accordion);
    }
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    const { models, services } = this._context.model;
    models.changed.disconnect(this._onModels, this);
    services.changed.disconnect(this._onServices, this);
    super.dispose();
  }

  /** Whoever comes by keyboard goes on inside. */
  protected override onActivateRequest(msg: Message): void {
    super.onActivateRequest(msg);
    this.node.focus({ preventScroll: true });
  }

  /** What is shown is loaded when it is shown first. */
  protected override onBeforeShow(): void {
    const { runs, models, datasets, services, targets } = this._context.model;
    targets.start();
    runs.start();
    models.start();
    datasets.start();
    services.start();
  }

  private get _accordion(): AccordionPanel {
    return this.content as AccordionPanel;
  }

  /** Sections without content leave the room to those that have some, until there is some. */
  private _onModels(model: ModelsModel): void {
    this._openOnce('models', model.value?.length);
  }

  private _onServices(model: ServicesModel): void {
    this._openOnce('services', model.value?.length);
  }

  /** A section that was never open has no room of its own: it gets its share. */
  private _onToggled(accordion: AccordionPanel): void {
    requestAnimationFrame(() => {
      if (this.isDisposed || !this.isVisible) {
        return;
      }
      const open = accordion.widgets.map(widget => !widget.isHidden);
      const cramped = accordion.widgets.some(
        (widget, index) => open[index] && widget.node.offsetHeight < LEAST
      );
      if (cramped) {
        accordion.setRelativeSizes(
          SIZES.map((size, index) => (open[index] ? size : 0))
        );
      }
    });
  }

  private _openOnce(section: Section, count: number | undefined): void {
    if (count && !this._opened.has(section)) {
      this._opened.add(section);
      this.expand(section);
    }
  }

  private _add(
    section: Section,
    title: string,
    body: JSX.Element,
    button: { icon: LabIcon; label: string; onClick: () => void }
  ): void {
    const panel = new PanelWithToolbar();
    panel.addClass('jp-mlops-section');
    panel.title.label = title;
    panel.toolbar.node.setAttribute('aria-label', button.label);
    panel.toolbar.addItem(
      section,
      new ToolbarButton({
        icon: button.icon,
        tooltip: button.label,
        onClick: button.onClick
      })
    );
    const content = ReactWidget.create(body);
    content.addClass('jp-mlops-scroll');
    // What scrolls has to be reached by keyboard, also where nothing in it can be pressed.
    content.node.tabIndex = 0;
    panel.addWidget(content);
    this.addWidget(panel);
    this._sections.push(section);
  }

  private _context: IContext;
  private _sections: Section[] = [];
  private _opened = new Set<Section>();
}
