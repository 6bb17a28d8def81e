import { copyIcon, deleteIcon, tagIcon } from '@jupyterlab/ui-components';
import React, { useEffect, useState } from 'react';

import { Model, ModelVersion } from '../api';
import { CommandIDs } from '../commands/ids';
import { hidden } from '../models/models';
import { bytes, metric } from '../format';
import { Lineage } from '../parts/lineage';
import { Ago, Live } from '../parts/live';
import { Signature } from '../parts/signature';
import { Action, Empty, IconAction } from '../parts/states';
import { IContext } from '../tokens';
import { Datasets } from './datasets';
import { ModelMore } from './modelmore';
import { Loaded } from './resource';
import { copy } from '../parts/clipboard';

/** Models from which on they can be looked for. */
const GLANCE = 8;

/** Milliseconds without a key, after which what was typed is looked for. */
const TYPING = 250;

/** Registered models, their versions, Deploy. */
export function ModelsPanel(props: { context: IContext }): JSX.Element {
  const { context } = props;
  const { trans, model } = context;
  return (
    <>
      <Find context={context} />
      <Loaded resource={model.models} context={context}>
        {models =>
          models.length === 0 && model.models.search ? (
            <p className="jp-mlops-hint">
              {trans.__('No name and no alias has “%1”.', model.models.search)}
            </p>
          ) : models.length === 0 ? (
            <Empty
              message={trans.__('No models yet.')}
              hint={trans.__(
                'Call log_model(model, "name") in a cell; the run registers it.'
              )}
            />
          ) : (
            <>
              <ul className="jp-mlops-list" aria-label={trans.__('Models')}>
                {models.map(item => (
                  <ModelItem key={item.name} model={item} context={context} />
                ))}
              </ul>
              {models.length < model.models.total && (
                <Action small onClick={() => void model.models.more()}>
                  {trans.__(
                    'Show more (%1 of %2)',
                    models.length,
                    model.models.total
                  )}
                </Action>
              )}
            </>
          )
        }
      </Loaded>
      <Datasets context={context} />
    </>
  );
}

/** Look for a model, where there are more than a glance takes in. */
function Find(props: { context: IContext }): JSX.Element {
  const { trans, model } = props.context;
  const { models } = model;
  const [text, setText] = useState('');
  useEffect(() => {
    if (text === models.search) {
      return;
    }
    const timer = setTimeout(() => void models.find(text), TYPING);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <Live on={[models.changed]}>
      {() => (
        <>
          {(models.total > GLANCE || models.search || text) && (
            <input
              className="jp-mod-styled jp-mlops-find"
              type="search"
              aria-label={trans.__('Find models by name or alias')}
              placeholder={trans.__('Find models by name or alias')}
              value={text}
              onChange={event => setText(event.target.value)}
            />
          )}
        </>
      )}
    </Live>
  );
}

function ModelItem(props: { model: Model; context: IContext }): JSX.Element {
  const { model, context } = props;
  const { trans } = context;
  const [open, setOpen] = useState(false);
  const newest = model.versions[0];
  return (
    <li className="jp-mlops-item jp-mlops-model" data-model={model.name}>
      <button
        className="jp-mlops-item-main"
        title={model.name}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <span className="jp-mlops-caret" aria-hidden="true" />
        <span className="jp-mlops-item-text">
          <span className="jp-mlops-item-name">{model.name}</span>
          <span className="jp-mlops-hint">
            {trans._n(
              '%1 version',
              '%1 versions',
              model.versions.length + hidden(model)
            )}
          </span>
        </span>
        {newest && <span className="jp-mlops-chip">{newest.tag}</span>}
      </button>
      {!open && newest && (
        <Deploy model={model} version={newest} context={context} />
      )}
      {open && (
        <ul
          className="jp-mlops-versions"
          aria-label={trans.__('Versions of %1', model.name)}
        >
          {model.versions.map(version => (
            <Version
              key={version.tag}
              model={model}
              version={version}
              context={context}
            />
          ))}
        </ul>
      )}
      {open && hidden(model) > 0 && (
        <Action
          small
          label={trans.__('All versions of %1', model.name)}
          onClick={() => void context.model.models.whole(model.name)}
        >
          {trans._n('One older version', '%1 older versions', hidden(model))}
        </Action>
      )}
      {open && <ModelMore model={model} context={context} />}
    </li>
  );
}

interface IVersionProps {
  model: Model;
  version: ModelVersion;
  context: IContext;
}

function Deploy(props: IVersionProps): JSX.Element {
  const { model, version, context } = props;
  const { trans, commands } = context;
  return (
    <Action
      small
      label={trans.__('Deploy %1 %2', model.name, version.tag)}
      title={trans.__('Serve this version')}
      onClick={() =>
        void commands.execute(CommandIDs.deploy, {
          model: `${model.name}:${version.tag}`
        })
      }
    >
      {trans.__('Deploy')}
    </Action>
  );
}

function Version(props: IVersionProps): JSX.Element {
  const { model, version, context } = props;
  const { trans, commands } = context;
  const metrics = Object.entries(version.metrics);
  const which = { model: model.name, tag: version.tag };
  const [lineage, setLineage] = useState(false);
  return (
    <li data-version={version.tag}>
      <div className="jp-mlops-row">
        <strong>{version.tag}</strong>
        {version.aliases.map(alias => (
          <span className="jp-mlops-chip" key={alias}>
            {alias}
          </span>
        ))}
        <span className="jp-mlops-spacer" />
        <Deploy {...props} />
      </div>
      <div className="jp-mlops-hint">
        {version.created > 0 && (
          <>
            <Ago time={version.created} trans={trans} /> ·{' '}
          </>
        )}
        {bytes(version.bytes)}
        {version.format && <> · {version.format}</>}
      </div>
      {metrics.length > 0 && (
        <dl className="jp-mlops-facts" aria-label={trans.__('Metrics')}>
          {metrics.map(([name, value]) => (
            <React.Fragment key={name}>
              <dt title={name}>{name}</dt>
              <dd title={String(value)}>{metric(value)}</dd>
            </React.Fragment>
          ))}
        </dl>
      )}
      <Signature version={version} trans={trans} />
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
            label={trans.__(
              'Copy the reference of %1 %2',
              model.name,
              version.tag
            )}
            onClick={() =>
              copy(
                `${model.name}@${version.digest}`,
                trans.__('Copied the reference by digest')
              )
            }
          />
          <IconAction
            icon={tagIcon}
            label={trans.__('Set an alias of %1 %2', model.name, version.tag)}
            onClick={() => void commands.execute(CommandIDs.setAlias, which)}
          />
          <IconAction
            icon={deleteIcon}
            label={trans.__('Delete %1 %2', model.name, version.tag)}
            onClick={() =>
              void commands.execute(CommandIDs.deleteVersion, which)
            }
          />
        </span>
      </div>
      {lineage && (
        <Lineage
          of={`models/${model.name}:${version.tag}`}
          from={{
            changed: context.model.told,
            load: (of, direction) => context.model.lineage(of, direction),
            openRun: run => void commands.execute(CommandIDs.openRun, { run }),
            trans
          }}
        />
      )}
    </li>
  );
}
