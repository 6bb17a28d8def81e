import { copyIcon, deleteIcon } from '@jupyterlab/ui-components';
import React, { useEffect, useState } from 'react';

import { MlopsError, asMlopsError } from '../api';
import { CommandIDs } from '../commands/ids';
import { bytes } from '../format';
import { copy } from '../parts/clipboard';
import { Lineage } from '../parts/lineage';
import { Ago, Live } from '../parts/live';
import { IconAction, Loading, Problem } from '../parts/states';
import { DatasetVersion } from '../registry';
import { IContext } from '../tokens';

/** Columns that are shown of a version; the others are counted. */
const SHOWN = 12;

/** Recorded datasets and their versions, below the models; nothing where there is none, or where the models say what is wrong. */
export function Datasets(props: { context: IContext }): JSX.Element {
  const { context } = props;
  const { trans, model } = context;
  const { datasets, models } = model;
  return (
    <Live on={[datasets.changed, models.changed]}>
      {() => (
        <>
          {datasets.error && !models.error && models.value && (
            <Problem
              error={datasets.error}
              trans={trans}
              onRetry={() => void datasets.refresh()}
            />
          )}
          {datasets.value && datasets.value.length > 0 && (
            <>
              <h3 className="jp-mlops-heading">{trans.__('Datasets')}</h3>
              <ul className="jp-mlops-list" aria-label={trans.__('Datasets')}>
                {datasets.value.map(item => (
                  <DatasetItem
                    key={item.name}
                    dataset={item}
                    context={context}
                  />
                ))}
              </ul>
            </>
          )}
        </>
      )}
    </Live>
  );
}

function DatasetItem(props: {
  dataset: DatasetVersion;
  context: IContext;
}): JSX.Element {
  const { dataset, context } = props;
  const [open, setOpen] = useState(false);
  return (
    <li className="jp-mlops-item jp-mlops-dataset" data-dataset={dataset.name}>
      <button
        className="jp-mlops-item-main"
        title={dataset.name}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <span className="jp-mlops-caret" aria-hidden="true" />
        <span className="jp-mlops-item-text">
          <span className="jp-mlops-item-name">{dataset.name}</span>
          <span className="jp-mlops-hint">{amount(dataset, context)}</span>
        </span>
        <span className="jp-mlops-chip">{dataset.tag}</span>
      </button>
      {open && <Versions dataset={dataset} context={context} />}
    </li>
  );
}

/** All versions, loaded when they are looked at, and again when there is a newer one. */
function Versions(props: {
  dataset: DatasetVersion;
  context: IContext;
}): JSX.Element {
  const { dataset, context } = props;
  const { trans, model } = context;
  const [versions, setVersions] =
    useState<ReadonlyArray<DatasetVersion> | null>(null);
  const [error, setError] = useState<MlopsError | null>(null);
  const [tries, setTries] = useState(0);
  useEffect(() => {
    let current = true;
    model.datasets.versions(dataset.name).then(
      found => {
        if (current) {
          setVersions(found);
          setError(null);
        }
      },
      reason => current && setError(asMlopsError(reason))
    );
    return () => {
      current = false;
    };
  }, [dataset, tries]);
  if (error) {
    return (
      <Problem
        error={error}
        trans={trans}
        onRetry={() => setTries(tries + 1)}
      />
    );
  }
  if (!versions) {
    return <Loading trans={trans} />;
  }
  return (
    <ul
      className="jp-mlops-versions"
      aria-label={trans.__('Versions of %1', dataset.name)}
    >
      {versions.map(version => (
        <Version key={version.tag} version={version} context={context} />
      ))}
    </ul>
  );
}

function Version(props: {
  version: DatasetVersion;
  context: IContext;
}): JSX.Element {
  const { version, context } = props;
  const { trans, commands, model } = context;
  const { name, tag } = version;
  const [lineage, setLineage] = useState(false);
  const more = version.columns.length - SHOWN;
  return (
    <li data-version={tag}>
      <div className="jp-mlops-row">
        <strong>{tag}</strong>
        <span className="jp-mlops-hint">
          {version.created > 0 && (
            <>
              <Ago time={version.created} trans={trans} /> ·{' '}
            </>
          )}
          {amount(version, context)}
        </span>
      </div>
      {version.columns.length > 0 && (
        <dl className="jp-mlops-facts" aria-label={trans.__('Columns')}>
          {version.columns.slice(0, SHOWN).map((column, index) => (
            <React.Fragment key={index}>
              <dt title={String(column.name)}>{String(column.name)}</dt>
              <dd>{String(column.arrow ?? column.datatype ?? '')}</dd>
            </React.Fragment>
          ))}
        </dl>
      )}
      {more > 0 && (
        <div className="jp-mlops-hint">
          {trans._n('and %1 more column', 'and %1 more columns', more)}
        </div>
      )}
      <div className="jp-mlops-row">
        {version.run && (
          <button
            className="jp-mlops-link"
            title={version.run}
            onClick={() =>
              void commands.execute(CommandIDs.openRun, { run: version.run })
            }
          >
            {trans.__('Made by this run')}
          </button>
        )}
        <button
          className="jp-mlops-link"
          aria-expanded={lineage}
          onClick={() => setLineage(!lineage)}
        >
          {trans.__('Lineage')}
        </button>
        <span className="jp-mlops-icons">
          <IconAction
            icon={copyIcon}
            label={trans.__('Copy the code that loads %1 %2', name, tag)}
            onClick={() =>
              copy(
                `from jupyter_mlops import load_dataset\n\nload_dataset("${name}:${tag}")`,
                trans.__('Copied')
              )
            }
          />
          <IconAction
            icon={deleteIcon}
            label={trans.__('Delete %1 %2', name, tag)}
            onClick={() =>
              void commands.execute(CommandIDs.deleteDataset, {
                dataset: name,
                tag
              })
            }
          />
        </span>
      </div>
      {lineage && (
        <Lineage
          of={`datasets/${name}:${tag}`}
          from={{
            changed: context.model.told,
            load: (of, direction) => model.lineage(of, direction),
            openRun: run => void commands.execute(CommandIDs.openRun, { run }),
            trans
          }}
        />
      )}
    </li>
  );
}

/** How much it is: rows where it has some, and bytes. */
function amount(version: DatasetVersion, { trans }: IContext): string {
  const rows =
    version.rows === null ? '' : trans._n('%1 row', '%1 rows', version.rows);
  return [rows, bytes(version.bytes)].filter(Boolean).join(' · ');
}
