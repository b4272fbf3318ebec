// Answers GET /v1/orders/:id with what the service replies.
'use strict';

const ApiGateway = require('moleculer-web');
const { start } = require('./broker');

const [ip, port] = process.env.ADDR.split(':');

start('gateway', {
  name: 'gateway',
  mixins: [ApiGateway],
  dependencies: ['orders'],
  settings: {
    ip,
    port: Number(port),
    routes: [{ path: '/v1', aliases: { 'GET orders/:id': 'orders.get' }, bodyParsers: false }],
  },
});
