/** Ids of all commands, in the order in which people meet them. */
export namespace CommandIDs {
  export const convert = 'mlops:convert';
  export const run = 'mlops:run';
  export const check = 'mlops:check';
  export const preflight = 'mlops:preflight';
  export const splitStep = 'mlops:split-step';
  export const joinSteps = 'mlops:join-steps';
  export const renameStep = 'mlops:rename-step';
  export const pinStep = 'mlops:pin-step';
  export const unpinStep = 'mlops:unpin-step';
  export const resetSteps = 'mlops:reset-steps';
  export const stepOptions = 'mlops:step-options';
  export const workflow = 'mlops:show-workflow';
  export const reveal = 'mlops:reveal-cell';
  export const markStep = 'mlops:mark-step';
  export const clearStep = 'mlops:clear-step';
  export const openPanel = 'mlops:open-panel';
  export const openRun = 'mlops:open-run';
  export const stopRun = 'mlops:stop-run';
  export const runAgain = 'mlops:run-again';
  export const deleteRun = 'mlops:delete-run';
  export const openExecuted = 'mlops:open-executed-notebook';
  export const runWith = 'mlops:run-with';
  export const resumeRun = 'mlops:resume-run';
  export const pauseRun = 'mlops:pause-run';
  export const unpauseRun = 'mlops:continue-run';
  export const approveRun = 'mlops:approve-run';
  export const configureTarget = 'mlops:configure-target';
  export const checkTarget = 'mlops:check-target';
  export const deploy = 'mlops:deploy';
  export const setAlias = 'mlops:set-alias';
  export const deleteVersion = 'mlops:delete-model-version';
  export const testService = 'mlops:test-service';
  export const stopService = 'mlops:stop-service';
  export const startService = 'mlops:start-service';
  export const deleteService = 'mlops:delete-service';
}
