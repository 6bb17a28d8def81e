import {
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  InputDialog,
  MainAreaWidget,
  WidgetTracker
} from '@jupyterlab/apputils';
import { IEditorServices } from '@jupyterlab/codeeditor';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { yamlIcon } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';

import { ARGS } from '../commands/args';
import { CommandIDs } from '../commands/ids';
import { chooseService } from '../commands/models';
import { attempt } from '../commands/report';
import { targetOf } from '../commands/runs';
import { pipelineIcon } from '../icons';
import { DOMAIN, IContext, IMlopsModel } from '../tokens';
import type { RunView } from '../views/run';
import type { ServiceView } from '../views/service';

export const viewsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:views',
  description: 'Views of a run, a service and a Workflow in the main area.',
  autoStart: true,
  requires: [IMlopsModel, IRenderMimeRegistry],
  optional: [ITranslator, ILayoutRestorer, IEditorServices],
  activate: (
    app: JupyterFrontEnd,
    model: IMlopsModel,
    rendermime: IRenderMimeRegistry,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    editors: IEditorServices | null
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const context = { model, commands: app.commands, trans };
    addRunView(app, context, rendermime, restorer);
    addServiceView(app, context, restorer);
    addWorkflowView(app, context, editors);
  }
};

function addRunView(
  app: JupyterFrontEnd,
  context: IContext,
  rendermime: IRenderMimeRegistry,
  restorer: ILayoutRestorer | null
): void {
  const { model, trans } = context;
  const tracker = new WidgetTracker<MainAreaWidget<RunView>>({
    namespace: 'mlops-run'
  });
  app.commands.addCommand(CommandIDs.openRun, {
    label: trans.__('Open Run…'),
    caption: args =>
      args.run || model.runs.runs.length
        ? trans.__('Show steps, outputs and logs of a run')
        : trans.__('There is no run yet'),
    icon: pipelineIcon,
    describedBy: ARGS.runName,
    isEnabled: args =>
      typeof args.run === 'string' || model.runs.runs.length > 0,
    execute: async args => {
      const run =
        typeof args.run === 'string'
          ? args.run
          : (
              await InputDialog.getItem({
                title: trans.__('Which run?'),
                items: model.runs.runs.map(({ name }) => name)
              })
            ).value;
      if (!run) {
        return;
      }
      const target = targetOf(args) ?? model.targets.current;
      let widget = tracker.find(
        ({ content }) => content.run === run && content.target === target
      );
      if (!widget) {
        const { RunView } = await import('../views/run');
        widget = framed(
          new RunView(run, context, rendermime, target),
          `mlops-run-${target ?? ''}-${run}`,
          run,
          trans.__('Run %1', run)
        );
        app.shell.add(widget, 'main');
        await tracker.add(widget);
        closeWhenDeleted(context, widget);
      }
      app.shell.activateById(widget.id);
    }
  });
  void restorer?.restore(tracker, {
    command: CommandIDs.openRun,
    args: ({ content: { run, target } }) => ({
      run,
      ...(target === undefined ? {} : { target })
    }),
    name: ({ content }) => `${content.target ?? ''}/${content.run}`
  });
}

/** A view as a tab of the main area; its actions are in the view, so the toolbar is not needed. */
function framed<T extends Widget>(
  content: T,
  id: string,
  label: string,
  caption: string
): MainAreaWidget<T> {
  const widget = new MainAreaWidget({ content });
  widget.id = id;
  widget.title.label = label;
  widget.title.caption = caption;
  widget.title.icon = pipelineIcon;
  widget.title.closable = true;
  widget.toolbar.hide();
  return widget;
}

/** A view of a run that a person deleted has nothing to show any more. */
function closeWhenDeleted(
  { model }: IContext,
  widget: MainAreaWidget<RunView>
): void {
  let known = false;
  const check = () => {
    if (
      model.runs.value === null ||
      widget.content.target !== model.targets.current
    ) {
      known = false;
      return;
    }
    const there = model.runs.find(widget.content.run) !== undefined;
    if (known && !there && !model.runs.hasMore) {
      widget.close();
    }
    known = known || there;
  };
  check();
  model.runs.changed.connect(check);
  widget.disposed.connect(() => model.runs.changed.disconnect(check));
}

function addServiceView(
  app: JupyterFrontEnd,
  context: IContext,
  restorer: ILayoutRestorer | null
): void {
  const { model, trans } = context;
  const tracker = new WidgetTracker<MainAreaWidget<ServiceView>>({
    namespace: 'mlops-service'
  });
  const any = () => (model.services.value ?? []).length > 0;
  app.commands.addCommand(CommandIDs.testService, {
    label: trans.__('Test Service…'),
    caption: args =>
      args.name || any()
        ? trans.__('Call a service with sample rows')
        : trans.__('There is no service yet'),
    icon: pipelineIcon,
    describedBy: ARGS.service,
    isEnabled: args => typeof args.name === 'string' || any(),
    execute: async args => {
      const chosen = await chooseService(context, args);
      if (!chosen) {
        return;
      }
      const key = { ...chosen, target: chosen.target ?? model.targets.current };
      let widget = tracker.find(
        ({ content }) =>
          content.key.name === key.name &&
          content.key.namespace === key.namespace &&
          content.key.target === key.target
      );
      if (!widget) {
        const { ServiceView } = await import('../views/service');
        widget = framed(
          new ServiceView(key, context),
          `mlops-service-${key.target ?? ''}-${key.namespace}-${key.name}`,
          key.name,
          trans.__('Service %1', key.name)
        );
        app.shell.add(widget, 'main');
        await tracker.add(widget);
      }
      app.shell.activateById(widget.id);
    }
  });
  void restorer?.restore(tracker, {
    command: CommandIDs.testService,
    args: ({ content: { key } }) => ({
      name: key.name,
      namespace: key.namespace,
      ...(key.target === undefined ? {} : { target: key.target })
    }),
    name: ({ content: { key } }) =>
      `${key.target ?? ''}/${key.namespace}/${key.name}`
  });
}

function addWorkflowView(
  app: JupyterFrontEnd,
  context: IContext,
  editors: IEditorServices | null
): void {
  const { model, trans } = context;
  app.commands.addCommand(CommandIDs.workflow, {
    label: trans.__('View Workflow YAML'),
    caption: args =>
      editors && (args.run || args.path || model.pipeline.source)
        ? trans.__('Show the Argo Workflow of a notebook or a run')
        : trans.__('Open a notebook first'),
    icon: yamlIcon,
    describedBy: ARGS.workflow,
    isEnabled: args =>
      editors !== null &&
      (typeof args.run === 'string' ||
        typeof args.path === 'string' ||
        model.pipeline.source !== null),
    execute: args =>
      attempt(async () => {
        const at = model.client.at(targetOf(args) ?? model.targets.current);
        let name: string;
        let yaml: string;
        if (typeof args.run === 'string') {
          name = args.run;
          yaml = await at.runWorkflow(name);
        } else {
          const path = String(args.path ?? model.pipeline.source?.path);
          name = path.split('/').pop()!;
          await model.pipeline.at(path)?.save();
          yaml = await at.workflow(path);
        }
        const { workflowView } = await import('../views/workflow');
        const widget = workflowView(name, yaml, editors!, trans);
        app.shell.add(widget, 'main');
        app.shell.activateById(widget.id);
      })
  });
}
