'use strict';

const { ServiceBroker } = require('moleculer');

// start runs one service as a node of its own.
exports.start = async (nodeID, service) => {
  const broker = new ServiceBroker({
    nodeID,
    logLevel: 'warn',
    transporter: {
      type: 'AMQP',
      options: {
        url: process.env.BROKER_URL,
        // By default a service takes one request after the other.
        prefetch: 1000,
        // amqplib turns Nagle's algorithm on unless told otherwise: requests and replies would wait for TCP's delayed
        // acknowledgements.
        socketOptions: { noDelay: true },
      },
    },
  });
  broker.createService(service);
  await broker.start(); // it stops at SIGTERM
  console.log('ready');
};
