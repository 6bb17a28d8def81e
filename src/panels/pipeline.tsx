import { TranslationBundle } from '@jupyterlab/translation';
import { runIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { Conversion, PlannedStep } from '../api';
import { CommandIDs } from '../commands/ids';
import { cellRange, marks } from '../format';
import { pipelineIcon } from '../icons';
import { IPipeline } from '../models/pipeline';
import { COLORS } from '../notebook/bands';
import { collect } from '../notebook/parameters';
import { Diagnostics } from '../parts/diagnostics';
import { Graph } from '../parts/graph';
import { Live } from '../parts/live';
import { Action, Empty, Loading, Problem } from '../parts/states';
import { targetLabel } from '../parts/target';
import { IContext } from '../tokens';
import { CheckResult } from './check';
import { EnvironmentSection, Misfits } from './environment';
import { ParameterForm } from './parameters';
import { PreflightSection } from './preflight';
import { QuickFix } from './quickfix';
import { StepMenuButton, openStepMenu } from './stepmenu';

/** The pipeline of the notebook in front: steps, parameters, doubts, Run. */
export function PipelinePanel(props: { context: IContext }): JSX.Element {
  const { context } = props;
  const { pipeline } = context.model;
  return (
    <Live
      on={[
        pipeline.changed,
        context.model.targets.changed,
        context.model.checks.changed
      ]}
    >
      {() => {
        const current = pipeline.current;
        return current ? (
          <Current pipeline={current} context={context} />
        ) : (
          <Empty
            icon={pipelineIcon}
            message={context.trans.__('Open a notebook to see its pipeline.')}
          />
        );
      }}
    </Live>
  );
}

interface IProps {
  pipeline: IPipeline;
  context: IContext;
}

function Current(props: IProps): JSX.Element {
  const { pipeline, context } = props;
  const { trans, commands } = context;
  const convert = () => void commands.execute(CommandIDs.convert);
  const name = pipeline.path.split('/').pop()!;
  return (
    <div className="jp-mlops-pipeline">
      <div className="jp-mlops-title" title={pipeline.path}>
        {name}
      </div>
      {pipeline.busy && !pipeline.conversion && <Loading trans={trans} />}
      {pipeline.error && <Refusal {...props} onRetry={convert} />}
      {pipeline.conversion && (
        <Converted {...props} conversion={pipeline.conversion} />
      )}
      {!pipeline.busy && !pipeline.error && !pipeline.conversion && (
        <Empty
          message={trans.__('This notebook has not been converted yet.')}
          hint={trans.__(
            'Converting only looks at the cells. Nothing is run, and the notebook stays as it is.'
          )}
        >
          <Action primary icon={pipelineIcon} onClick={convert}>
            {trans.__('Convert')}
          </Action>
        </Empty>
      )}
    </div>
  );
}

/** Why the notebook is not taken, finding by finding; or what failed on the way. */
function Refusal(props: IProps & { onRetry: () => void }): JSX.Element {
  const { pipeline, context, onRetry } = props;
  const { trans, commands } = context;
  const error = pipeline.error!;
  const show = (place: { cell?: number | null; line?: number | null }) =>
    void commands.execute(CommandIDs.reveal, {
      path: pipeline.path,
      cell: place.cell ?? null,
      line: place.line ?? null
    });
  if (error.diagnostics.length === 0) {
    return (
      <Problem
        error={error}
        trans={trans}
        onRetry={onRetry}
        onShow={() => show(error)}
      />
    );
  }
  return (
    <>
      <div className="jp-mlops-refused" role="alert">
        {trans.__('This notebook cannot be converted yet.')}
      </div>
      <Diagnostics
        diagnostics={error.diagnostics}
        onShow={show}
        quick={found => <QuickFix found={found} context={context} />}
        trans={trans}
      />
      <div className="jp-mlops-actions">
        <Action primary icon={pipelineIcon} onClick={onRetry}>
          {trans.__('Convert Again')}
        </Action>
      </div>
    </>
  );
}

function Converted(props: IProps & { conversion: Conversion }): JSX.Element {
  const { pipeline, conversion, context } = props;
  const { trans, commands, model } = context;
  const { values, invalid } = collect(
    conversion.parameters,
    pipeline.entered,
    trans
  );
  const known = model.checks.of(pipeline.path);
  const checking = known.busy || known.check?.phase === 'Running';
  const show = (cell: number | null | undefined, line?: number | null) =>
    void commands.execute(CommandIDs.reveal, {
      path: pipeline.path,
      cell: cell ?? null,
      line: line ?? null
    });
  return (
    <>
      <p className="jp-mlops-summary" role="status">
        {summary(conversion, trans)}
      </p>
      {pipeline.stale && (
        <p className="jp-mlops-stale">
          {trans.__('The notebook has changed since.')}{' '}
          <button
            className="jp-mlops-link"
            onClick={() => void commands.execute(CommandIDs.convert)}
          >
            {trans.__('Convert Again')}
          </button>
        </p>
      )}
      <div className="jp-mlops-actions">
        <Action
          primary
          icon={runIcon}
          disabled={invalid.length > 0}
          title={
            invalid.length
              ? trans.__('Correct first: %1', invalid.join(', '))
              : trans.__(
                  'Run the pipeline on %1',
                  targetLabel(model.targets.current, trans)
                )
          }
          onClick={() =>
            void commands.execute(CommandIDs.run, {
              path: pipeline.path,
              parameters: values as never
            })
          }
        >
          {trans.__('Run')}
        </Action>
        <Action
          title={trans.__('Choose target, parameters, or a run to go on from')}
          onClick={() => void commands.execute(CommandIDs.runWith)}
        >
          {trans.__('Run With…')}
        </Action>
        <Action
          disabled={invalid.length > 0 || checking}
          title={
            checking
              ? trans.__('This notebook is being checked already')
              : trans.__(
                  'Run the notebook in one kernel and as a pipeline on this machine, and compare'
                )
          }
          onClick={() =>
            void commands.execute(CommandIDs.check, {
              parameters: values as never
            })
          }
        >
          {trans.__('Check')}
        </Action>
        <Action
          title={trans.__(
            'Look into the running kernel: types and sizes of what steps would hand on'
          )}
          onClick={() => void commands.execute(CommandIDs.preflight)}
        >
          {trans.__('Preflight')}
        </Action>
        <Action
          title={trans.__('Show the Argo Workflow this pipeline compiles to')}
          onClick={() =>
            void commands.execute(CommandIDs.workflow, { path: pipeline.path })
          }
        >
          {trans.__('Workflow YAML')}
        </Action>
      </div>
      <Misfits
        context={context}
        path={pipeline.path}
        conversion={conversion}
        onShow={show}
      />
      <CheckResult
        context={context}
        path={pipeline.path}
        conversion={conversion}
        stale={pipeline.stale}
        onShow={show}
      />
      <PreflightSection
        context={context}
        path={pipeline.path}
        conversion={conversion}
        stale={pipeline.stale}
      />
      {conversion.parameters.length > 0 && (
        <>
          <h3>{trans.__('Parameters')}</h3>
          <ParameterForm
            parameters={conversion.parameters}
            entered={pipeline.entered}
            onEnter={(name, text) =>
              model.pipeline.enter(model.pipeline.source!, name, text)
            }
            trans={trans}
          />
        </>
      )}
      <h3>{trans.__('Graph')}</h3>
      <Graph
        label={trans.__('Steps and what they need')}
        direction="down"
        nodes={conversion.steps.map((step, index) => ({
          id: step.name,
          needs: step.needs,
          details: what(step, trans),
          color: index % COLORS,
          label: describe(step, trans)
        }))}
        onSelect={name =>
          show(conversion.steps.find(step => step.name === name)?.cells[0])
        }
        onMenu={(name, x, y) => {
          const step = conversion.steps.find(one => one.name === name)!;
          openStepMenu({ context, conversion, step }, x, y);
        }}
      />
      <h3>{trans.__('Steps')}</h3>
      <ol className="jp-mlops-steps" aria-label={trans.__('Steps')}>
        {conversion.steps.map((step, index) => (
          <li
            key={step.name}
            data-mlops-color={index % COLORS}
            onContextMenu={event => {
              event.preventDefault();
              event.stopPropagation();
              const { clientX, clientY } = event;
              openStepMenu({ context, conversion, step }, clientX, clientY);
            }}
          >
            <button
              className="jp-mlops-step-show"
              onClick={() => show(step.cells[0])}
            >
              <span className="jp-mlops-step-name">
                {step.title || step.name}
              </span>
              <span className="jp-mlops-hint">
                {cellRange(step.cells, trans)}
              </span>
            </button>
            <StepMenuButton
              context={context}
              conversion={conversion}
              step={step}
            />
            <Options step={step} />
          </li>
        ))}
      </ol>
      {conversion.diagnostics.length > 0 && (
        <>
          <h3>{trans.__('Findings')}</h3>
          <Diagnostics
            diagnostics={conversion.diagnostics}
            onShow={found => show(found.cell, found.line)}
            quick={found => <QuickFix found={found} context={context} />}
            trans={trans}
          />
        </>
      )}
      <EnvironmentSection
        context={context}
        path={pipeline.path}
        conversion={conversion}
      />
    </>
  );
}

/** What a step asks for, one chip each. */
function Options(props: { step: PlannedStep }): JSX.Element | null {
  const options = Object.entries(props.step.options ?? {});
  return options.length === 0 ? null : (
    <span className="jp-mlops-chips">
      {options.map(([name, value]) => (
        <span className="jp-mlops-chip" key={name}>
          {name} {typeof value === 'string' ? value : JSON.stringify(value)}
        </span>
      ))}
    </span>
  );
}

function summary(conversion: Conversion, trans: TranslationBundle): string {
  const count = (severity: string) =>
    conversion.diagnostics.filter(found => found.severity === severity).length;
  const [steps, parameters, warnings] = [
    conversion.steps.length,
    conversion.parameters.length,
    count('warning')
  ];
  const parts = [trans._n('%1 step', '%1 steps', steps)];
  if (parameters) {
    parts.push(trans._n('%1 parameter', '%1 parameters', parameters));
  }
  if (warnings) {
    parts.push(trans._n('%1 warning', '%1 warnings', warnings));
  }
  return parts.join(' · ');
}

/** Under a step's name in the graph, line by line: what is special about it, or its cells, or what it is for without any. */
function what(step: PlannedStep, trans: TranslationBundle): string[] {
  const special = marks(step.options, trans);
  return special.length
    ? special
    : [cellRange(step.cells, trans) || step.title].filter(Boolean);
}

/** A step in words, for those who do not see the graph. */
function describe(step: PlannedStep, trans: TranslationBundle): string {
  const cells = [
    cellRange(step.cells, trans) || step.title,
    ...marks(step.options, trans)
  ].join(', ');
  return step.needs.length
    ? trans.__('%1, %2, needs %3', step.name, cells, step.needs.join(', '))
    : trans.__('%1, %2', step.name, cells);
}
