import { downloadIcon } from '@jupyterlab/ui-components';
import React, { useEffect, useMemo, useState } from 'react';

import { MlopsClient, MlopsError, Run, asMlopsError } from '../api';
import { bytes } from '../format';
import { Resource } from '../models/resource';
import { isDone } from '../models/runs';
import { Chart } from '../parts/chart';
import { Live } from '../parts/live';
import { Empty, IconAction, Loading, Problem } from '../parts/states';
import {
  RunFile,
  RunFiles,
  curves,
  imageUrl,
  keptBySteps,
  plainName
} from '../runfiles';
import { IContext } from '../tokens';

/** What a run keeps, as far as it has come. */
class FilesModel extends Resource<RunFiles> {
  constructor(
    private _client: MlopsClient,
    private _name: string,
    private _going: () => boolean
  ) {
    super();
  }

  protected load(): Promise<RunFiles> {
    return this._client.runFiles.list(this._name);
  }

  protected override busy(): boolean {
    return this._going();
  }
}

/** Metrics over time, figures and files: all of a run, or those of one step. */
export function Results(props: {
  run: Run;
  step: string | null;
  context: IContext;
}): JSX.Element {
  const { run, step, context } = props;
  const { trans, model } = context;
  const client = useMemo(
    () => model.client.at(run.target),
    [model, run.target]
  );
  const going = React.useRef(true);
  going.current = !isDone(run.phase);
  const files = useMemo(
    () => new FilesModel(client, run.name, () => going.current),
    [client, run.name]
  );
  useEffect(() => () => files.dispose(), [files]);
  useEffect(() => {
    files.start();
    files.poke();
  }, [files, run.revision]);
  return (
    <Live on={[files.changed]}>
      {() => {
        const { value, error } = files;
        if (!value) {
          return error ? (
            <Problem
              error={error}
              trans={trans}
              onRetry={() => void files.refresh()}
            />
          ) : (
            <Loading trans={trans} />
          );
        }
        return (
          <Kept
            found={value}
            run={run}
            step={step}
            client={client}
            context={context}
          />
        );
      }}
    </Live>
  );
}

function Kept(props: {
  found: RunFiles;
  run: Run;
  step: string | null;
  client: MlopsClient;
  context: IContext;
}): JSX.Element {
  const { found, run, step, client, context } = props;
  const { trans } = context;
  const { pictures, others } = keptBySteps(found.files);
  const drawn = curves(found.series).filter(
    curve => step === null || curve.task === step
  );
  const tasks = new Set(drawn.map(curve => curve.task));
  if (!drawn.length && !pictures.length && !others.length) {
    return (
      <Empty
        message={trans.__('There are no charts, figures or files.')}
        hint={trans.__(
          'log_metrics with step=… draws a chart; log_figure and log_artifact keep a figure or a file.'
        )}
      />
    );
  }
  return (
    <>
      {drawn.length > 0 && (
        <section aria-label={trans.__('Charts')} className="jp-mlops-charts">
          {drawn.map(curve => (
            <Chart
              key={`${curve.name}/${curve.task}`}
              curve={curve}
              showTask={tasks.size > 1}
              trans={trans}
            />
          ))}
        </section>
      )}
      {pictures.length > 0 && (
        <section aria-label={trans.__('Figures')} className="jp-mlops-charts">
          {pictures.map(file => (
            <Picture
              key={file.name}
              file={file}
              run={run.name}
              client={client}
              context={context}
            />
          ))}
        </section>
      )}
      {others.length > 0 && (
        <section className="jp-mlops-card">
          <h3>{trans.__('Files')}</h3>
          <ul className="jp-mlops-plain" aria-label={trans.__('Files')}>
            {others.map(file => (
              <Saved
                key={file.name}
                file={file}
                run={run.name}
                client={client}
                context={context}
              />
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

interface IFileProps {
  file: RunFile;
  run: string;
  client: MlopsClient;
  context: IContext;
}

/** A figure; as wide as the view when it is pressed. */
function Picture(props: IFileProps): JSX.Element {
  const { file, run, client, context } = props;
  const { trans } = context;
  const [url, setUrl] = useState('');
  const [error, setError] = useState<MlopsError | null>(null);
  const [tries, setTries] = useState(0);
  const [large, setLarge] = useState(false);
  useEffect(() => {
    let made = '';
    let current = true;
    const show = async () => {
      try {
        const blob = await client.runFiles.file(run, file.name);
        made = await imageUrl(blob, file);
        if (current) {
          setUrl(made);
          setError(null);
        } else {
          URL.revokeObjectURL(made);
        }
      } catch (reason) {
        if (current) {
          setError(asMlopsError(reason));
        }
      }
    };
    void show();
    return () => {
      current = false;
      URL.revokeObjectURL(made);
    };
  }, [client, run, file.name, tries]);
  const name = plainName(file);
  return (
    <figure
      className={
        large ? 'jp-mlops-picture jp-mlops-picture-large' : 'jp-mlops-picture'
      }
    >
      <figcaption title={name}>
        <span className="jp-mlops-chart-name">{name}</span>
        <Download {...props} />
      </figcaption>
      {error && (
        <Problem
          error={error}
          trans={trans}
          onRetry={() => setTries(tries + 1)}
        />
      )}
      {!url && !error && <Loading trans={trans} />}
      {url && (
        <button
          aria-pressed={large}
          title={large ? trans.__('Show small') : trans.__('Show large')}
          onClick={() => setLarge(!large)}
        >
          <img src={url} alt={name} />
        </button>
      )}
    </figure>
  );
}

function Saved(props: IFileProps): JSX.Element {
  const { file } = props;
  return (
    <li className="jp-mlops-row">
      <span>{plainName(file)}</span>
      <span className="jp-mlops-hint">{bytes(file.bytes)}</span>
      <span className="jp-mlops-spacer" />
      <Download {...props} />
    </li>
  );
}

/** Saves a file on the person's machine. */
function Download(props: IFileProps): JSX.Element {
  const { file, run, client, context } = props;
  const [error, setError] = useState<MlopsError | null>(null);
  const name = plainName(file);
  const save = async () => {
    try {
      const blob = await client.runFiles.file(run, file.name);
      const url = URL.createObjectURL(blob);
      const link = document.createElement('a');
      link.href = url;
      link.download = name.split('/').pop() ?? name;
      link.click();
      URL.revokeObjectURL(url);
      setError(null);
    } catch (reason) {
      setError(asMlopsError(reason));
    }
  };
  return (
    <>
      {error && <Problem error={error} trans={context.trans} />}
      <IconAction
        icon={downloadIcon}
        label={context.trans.__('Download %1', name)}
        onClick={() => void save()}
      />
    </>
  );
}
