// The npm package @kubernetes/client-node against rtvmd: list, watch, informer, patches, discovery. Prints TAP.
// Arguments: the package's folder, the server's address.
import { pathToFileURL } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

const [folder, server] = process.argv.slice(2);
const k8s = await import(pathToFileURL(folder + '/dist/index.js'));
const config = new k8s.KubeConfig();
config.loadFromOptions({
    clusters: [{ name: 'rtvmd', server, skipTLSVerify: true }],
    users: [{ name: 'me' }],
    contexts: [{ name: 'here', cluster: 'rtvmd', user: 'me' }],
    currentContext: 'here',
});
const custom = config.makeApiClient(k8s.CustomObjectsApi);
const core = config.makeApiClient(k8s.CoreV1Api);
const objects = k8s.KubernetesObjectApi.makeApiClient(config);
const vms = { group: 'kubevirt.io', version: 'v1', namespace: 'default', plural: 'virtualmachines' };
const path = '/apis/kubevirt.io/v1/namespaces/default/virtualmachines';
const vm = (name, runStrategy) => ({
    apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine', metadata: { name, namespace: 'default' },
    spec: { runStrategy, template: { spec: { domain: { memory: { guest: '64Mi' }, devices: {} } } } },
});

let number = 0, failed = 0;
async function check(name, run) {
    number++;
    try {
        if ((await run()) === false) throw new Error('not what was expected');
        console.log(`ok ${number} - ${name}`);
    } catch (e) {
        failed++;
        console.log(`not ok ${number} - ${name}\n# ${String(e.body ?? e).replaceAll('\n', '\n# ')}`);
    }
}
async function becomes(condition) {
    for (let i = 0; i < 100; i++) {
        if (await condition()) return true;
        await sleep(100);
    }
    return false;
}

const seen = [];
const informer = k8s.makeInformer(config, path, () => custom.listNamespacedCustomObject(vms));
for (const what of ['add', 'update', 'delete']) informer.on(what, (o) => seen.push(`${what} ${o.metadata.name}`));
informer.on('error', (e) => seen.push(`error ${e}`));

await check('informer starts', () => informer.start());
await check('create', async () => (await custom.createNamespacedCustomObject({ ...vms, body: vm('one', 'Always') })).metadata.uid !== '');
await check('the VM runs', () => becomes(async () =>
    (await custom.getNamespacedCustomObject({ ...vms, name: 'one' })).status?.printableStatus === 'Running'));
await check('list', async () => (await custom.listNamespacedCustomObject(vms)).items.length === 1);
await check('merge patch', async () => {
    const patched = await custom.patchNamespacedCustomObject(
        { ...vms, name: 'one', body: { metadata: { labels: { a: 'b' } } } },
        k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch));
    return patched.metadata.labels.a === 'b';
});
await check('JSON patch', async () => {
    const patched = await custom.patchNamespacedCustomObject(
        { ...vms, name: 'one', body: [{ op: 'replace', path: '/metadata/labels/a', value: 'c' }] },
        k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.JsonPatch));
    return patched.metadata.labels.a === 'c';
});
await check('server-side apply by discovery', async () => {
    const applied = await objects.patch(vm('two', 'Halted'), undefined, undefined, 'tester', true, k8s.PatchStrategy.ServerSideApply);
    return applied.metadata.managedFields.some((m) => m.manager === 'tester' && m.operation === 'Apply');
});
await check('label selector', async () => (await custom.listNamespacedCustomObject({ ...vms, labelSelector: 'a=c' })).items.length === 1);
await check('a typed core object', async () => {
    await core.createNamespacedSecret({ namespace: 'default', body: { metadata: { name: 's' }, stringData: { k: 'v' } } });
    const secret = await core.readNamespacedSecret({ namespace: 'default', name: 's' });
    await core.deleteNamespacedSecret({ namespace: 'default', name: 's' });
    return secret.data.k === 'dg==';
});
await check('the node', async () => (await core.listNode()).items[0].status.conditions.some((c) => c.type === 'Ready'));
await check('events', async () => (await core.listNamespacedEvent({ namespace: 'default' })).items.some((e) => e.reason === 'Started'));
await check('what is missing is a 404', async () => {
    try {
        await custom.getNamespacedCustomObject({ ...vms, name: 'none' });
    } catch (e) {
        return e.code === 404 && JSON.parse(e.body).reason === 'NotFound';
    }
    return false;
});
await check('watch from a version ends when it is told to', async () => {
    const version = (await custom.listNamespacedCustomObject(vms)).metadata.resourceVersion;
    const told = [];
    const done = new Promise((resolve) => new k8s.Watch(config).watch(path, { resourceVersion: version, timeoutSeconds: 2 },
        (type, object) => told.push(`${type} ${object.metadata.name}`), resolve));
    await custom.deleteNamespacedCustomObject({ ...vms, name: 'two' });
    await done;
    return told.includes('DELETED two') && !told.some((t) => t.startsWith('ADDED'));
});
await check('delete', () => custom.deleteNamespacedCustomObject({ ...vms, name: 'one' }).then(() => true));
await check('informer saw it all', () => becomes(() =>
    ['add one', 'update one', 'add two', 'delete two', 'delete one'].every((s) => seen.includes(s))));
await check('without an error', () => !seen.some((s) => s.startsWith('error')));
await informer.stop();
console.log(`1..${number}`);
process.exit(failed ? 1 : 0);
