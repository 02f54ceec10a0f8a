import assert from 'node:assert/strict'
import { test } from 'node:test'
import { captureOfAnnotations } from './annotations.ts'
import { defaultCapture } from './capture-settings.ts'

const none = () => []

test('a workload that says nothing has the defaults', () => {
  const { settings, mistakes } = captureOfAnnotations({ 'example.com/other': 'x' }, none)
  assert.deepEqual(mistakes, [])
  assert.deepEqual(settings, { ...defaultCapture, excludeInboundPorts: [15090, 15021, 15020] })
})

test('each annotation of Istio has its effect', () => {
  const { settings, mistakes } = captureOfAnnotations({
    'sidecar.istio.io/interceptionMode': 'TPROXY',
    'traffic.sidecar.istio.io/includeInboundPorts': '8080, 9090',
    'traffic.sidecar.istio.io/excludeInboundPorts': '9000',
    'traffic.sidecar.istio.io/includeOutboundPorts': '8443',
    'traffic.sidecar.istio.io/excludeOutboundPorts': '3306,5432',
    'traffic.sidecar.istio.io/includeOutboundIPRanges': '10.0.0.0/8',
    'traffic.sidecar.istio.io/excludeOutboundIPRanges': '10.1.0.0/16',
    'traffic.sidecar.istio.io/excludeInterfaces': 'eth1,eth2',
    'istio.io/reroute-virtual-interfaces': 'tap0',
  }, none)
  assert.deepEqual(mistakes, [])
  assert.deepEqual(settings, {
    ...defaultCapture, mode: 'TPROXY', includeInboundPorts: [8080, 9090], excludeInboundPorts: [9000, 15090, 15021, 15020], includeOutboundPorts: [8443], excludeOutboundPorts: [3306, 5432],
    includeOutboundRanges: ['10.0.0.0/8'], excludeOutboundRanges: ['10.1.0.0/16'], excludeInterfaces: ['eth1', 'eth2'], virtualInterfaces: ['tap0'],
  })
})

test('an empty annotation captures nothing, as in Istio', () => {
  assert.deepEqual(captureOfAnnotations({ 'traffic.sidecar.istio.io/includeInboundPorts': '' }, none).settings.includeInboundPorts, [])
})

test('the older name of virtual interfaces is read too, the newer one wins', () => {
  const older = { 'traffic.sidecar.istio.io/kubevirtInterfaces': 'tap1' }
  assert.deepEqual(captureOfAnnotations(older, none).settings.virtualInterfaces, ['tap1'])
  assert.deepEqual(captureOfAnnotations({ ...older, 'istio.io/reroute-virtual-interfaces': 'tap2' }, none).settings.virtualInterfaces, ['tap2'])
})

test('another status port takes the place of 15020, and none leaves it out', () => {
  const excluded = (port: string) => captureOfAnnotations({ 'status.sidecar.istio.io/port': port }, none).settings.excludeInboundPorts
  assert.deepEqual([excluded('15999'), excluded('0')], [[15090, 15021, 15999], [15090, 15021]])
})

test('what the mesh captures of workloads that say nothing is replaced one by one', () => {
  const { settings } = captureOfAnnotations({ 'traffic.sidecar.istio.io/excludeOutboundPorts': '25' }, none, { excludeOutboundPorts: ['3306'], excludeOutboundIpRanges: ['10.9.0.0/16'] })
  assert.deepEqual([settings.excludeOutboundPorts, settings.excludeOutboundRanges], [[25], ['10.9.0.0/16']])
})

test('mistakes are said with the annotation that they stand in', () => {
  const { mistakes } = captureOfAnnotations({
    'sidecar.istio.io/interceptionMode': 'tproxy',
    'traffic.sidecar.istio.io/excludeOutboundPorts': '3306,mysql',
    'traffic.sidecar.istio.io/includeOutboundIPRanges': '10.0.0.0',
    'traffic.sidecar.istio.io/excludeOutboundIPRanges': '10.0.0.0/99',
    'status.sidecar.istio.io/port': 'none',
  }, none)
  assert.deepEqual(mistakes.toSorted(), [
    'sidecar.istio.io/interceptionMode: "tproxy" is not one of REDIRECT, TPROXY, NONE',
    'status.sidecar.istio.io/port: "none" is not a port such as 15020, or 0 for none',
    'traffic.sidecar.istio.io/excludeOutboundIPRanges: "10.0.0.0/99" is not a range such as 10.0.0.0/8',
    'traffic.sidecar.istio.io/excludeOutboundPorts: "mysql" is not a port such as 8080',
  ])
})
