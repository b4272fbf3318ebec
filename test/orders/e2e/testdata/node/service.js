// A service on Node.js that replies to orders.getAll, as RabbitMQ's own tutorials do: with the request's correlation_id and a
// body. It knows nothing of traces. OpenTelemetry's instrumentation of amqplib makes its spans.
'use strict';

const { registerInstrumentations } = require('@opentelemetry/instrumentation');
const { AmqplibInstrumentation } = require('@opentelemetry/instrumentation-amqplib');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { BatchSpanProcessor, NodeTracerProvider } = require('@opentelemetry/sdk-trace-node');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-proto');

const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'orders' }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
});
provider.register();
registerInstrumentations({ instrumentations: [new AmqplibInstrumentation()] });

const amqp = require('amqplib'); // after the instrumentation, which changes it

async function main() {
  const connection = await amqp.connect(process.env.BROKER_URL);
  const channel = await connection.createChannel();
  await channel.assertQueue('orders.getAll', { durable: true, arguments: { 'x-queue-type': 'classic' } });
  await channel.consume('orders.getAll', (request) => {
    const { replyTo, correlationId } = request.properties;
    channel.sendToQueue(replyTo, Buffer.from('{"orders":[]}'), {
      correlationId, contentType: 'application/json', userId: 'orders',
    });
    channel.ack(request);
  });
  console.log('ready');
  process.once('SIGTERM', async () => {
    await connection.close();
    await provider.shutdown();
  });
}

main().catch((err) => {
  console.error(err);
  process.exitCode = 1;
});
