// Replies to the gateway with an order.
'use strict';

const order = require('../order.json');
const { start } = require('./broker');

start('orders', {
  name: 'orders',
  actions: {
    get: ({ params }) => ({ ...order, id: params.id }),
  },
});
