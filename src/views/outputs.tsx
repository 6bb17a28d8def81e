import * as nbformat from '@jupyterlab/nbformat';
import { OutputAreaModel, SimplifiedOutputArea } from '@jupyterlab/outputarea';
import { IRenderMimeRegistry, MimeModel } from '@jupyterlab/rendermime';
import React, { memo, useCallback, useEffect, useMemo } from 'react';

import { Run } from '../api';
import { MlopsClient } from '../api';
import { cellRange } from '../format';
import { Resource } from '../models/resource';
import { Host } from '../parts/host';
import { Live } from '../parts/live';
import { Empty, Loading, Problem } from '../parts/states';
import { IContext } from '../tokens';

/** The executed notebook of a run, as far as it is. */
class ExecutedModel extends Resource<nbformat.INotebookContent> {
  constructor(
    private _client: MlopsClient,
    private _name: string
  ) {
    super();
  }

  protected async load(): Promise<nbformat.INotebookContent> {
    return (await this._client.executedNotebook(
      this._name
    )) as nbformat.INotebookContent;
  }
}

/** What the cells of a run showed: all of them, or those of one step. */
export function Outputs(props: {
  run: Run;
  step: string | null;
  rendermime: IRenderMimeRegistry;
  context: IContext;
}): JSX.Element {
  const { run, step, rendermime, context } = props;
  const { trans, model } = context;
  const executed = useMemo(
    () => new ExecutedModel(model.client.at(run.target), run.name),
    [model, run.target, run.name]
  );
  useEffect(() => () => executed.dispose(), [executed]);
  useEffect(() => {
    executed.start();
    executed.poke();
  }, [executed, run.revision]);
  return (
    <Live on={[executed.changed]}>
      {() => {
        const { value, error } = executed;
        if (value) {
          return (
            <Cells
              notebook={value}
              run={run}
              step={step}
              rendermime={rendermime}
              context={context}
            />
          );
        }
        if (error?.status === 404) {
          return <Empty message={trans.__('There are no outputs yet.')} />;
        }
        return error ? (
          <Problem
            error={error}
            trans={trans}
            onRetry={() => void executed.refresh()}
          />
        ) : (
          <Loading trans={trans} />
        );
      }}
    </Live>
  );
}

function Cells(props: {
  notebook: nbformat.INotebookContent;
  run: Run;
  step: string | null;
  rendermime: IRenderMimeRegistry;
  context: IContext;
}): JSX.Element {
  const { notebook, run, step, rendermime, context } = props;
  const { trans } = context;
  const steps = new Map<number, string>();
  for (const { name, cells } of run.steps) {
    cells.forEach(cell => steps.set(cell, name));
  }
  const shown = notebook.cells
    .map((cell, index) => ({ cell, index }))
    .filter(({ index }) => step === null || steps.get(index) === step)
    .filter(({ cell }) => sourceOf(cell).trim() !== '');
  const language = notebook.metadata.language_info?.name ?? 'python';
  return (
    <div className="jp-mlops-cells">
      {shown.map(({ cell, index }, at) => {
        const name = steps.get(index);
        const first =
          name !== undefined &&
          !shown.slice(0, at).some(other => steps.get(other.index) === name);
        return (
          <React.Fragment key={index}>
            {first && (
              <h3 className="jp-mlops-cells-step">
                {name}{' '}
                <span className="jp-mlops-hint">
                  {cellRange(
                    run.steps.find(other => other.name === name)!.cells,
                    trans
                  )}
                </span>
              </h3>
            )}
            <section
              className="jp-mlops-cell"
              aria-label={trans.__('Cell %1', index)}
              data-failed={run.failure?.cell === index || undefined}
              data-kind={cell.cell_type}
            >
              <Source
                text={sourceOf(cell)}
                kind={cell.cell_type as string}
                language={language}
                rendermime={rendermime}
              />
              {nbformat.isCode(cell) && cell.outputs.length > 0 && (
                <OutputList
                  outputs={JSON.stringify(cell.outputs)}
                  rendermime={rendermime}
                />
              )}
            </section>
          </React.Fragment>
        );
      })}
    </div>
  );
}

/** Code with its colours, or text as it reads; both by JupyterLab's Markdown renderer. */
const Source = memo(
  (props: {
    text: string;
    kind: string;
    language: string;
    rendermime: IRenderMimeRegistry;
  }): JSX.Element => {
    const { text, kind, language, rendermime } = props;
    const make = useCallback(() => {
      const renderer = rendermime.createRenderer('text/markdown');
      const fence = '`'.repeat(
        Math.max(2, ...(text.match(/`+/g) ?? []).map(run => run.length)) + 1
      );
      const markdown =
        kind === 'markdown' ? text : `${fence}${language}\n${text}\n${fence}`;
      void renderer.renderModel(
        new MimeModel({ data: { 'text/markdown': markdown } })
      );
      return renderer;
    }, [text, kind, language, rendermime]);
    return <Host className="jp-mlops-source" make={make} />;
  }
);

/** Outputs of one cell. Not trusted: scripts in them do not run here. */
const OutputList = memo(
  (props: {
    outputs: string;
    rendermime: IRenderMimeRegistry;
  }): JSX.Element => {
    const { outputs, rendermime } = props;
    const make = useCallback(
      () =>
        new SimplifiedOutputArea({
          model: new OutputAreaModel({
            values: JSON.parse(outputs) as nbformat.IOutput[],
            trusted: false
          }),
          rendermime
        }),
      [outputs, rendermime]
    );
    return <Host className="jp-mlops-outputs" make={make} />;
  }
);

function sourceOf(cell: nbformat.ICell): string {
  return Array.isArray(cell.source) ? cell.source.join('') : cell.source;
}
