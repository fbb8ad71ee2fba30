using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace ChatBackend.Infrastructure.Ai.OpenAi;

/// <summary>
/// One call of one model with all its attempts, for logs, traces and metrics; the names follow OpenTelemetry's conventions
/// for generative AI. Disposal ends it; a call that neither succeeded nor failed was cancelled.
/// </summary>
internal sealed class ModelCall : IDisposable
{
    private static readonly ActivitySource Source = new("ChatBackend.Ai");
    private static readonly Meter Meter = new("ChatBackend");
    private static readonly Histogram<double> Duration =
        Meter.CreateHistogram<double>("gen_ai.client.operation.duration", "s", "Duration of model calls");
    private static readonly Histogram<int> Tokens =
        Meter.CreateHistogram<int>("gen_ai.client.token.usage", "{token}", "Tokens of model calls");

    private readonly ILogger _log;
    private readonly string _operation;
    private readonly string _model;
    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly Activity? _activity;
    private ModelUsage? _usage;
    private ModelException? _failure;
    private string _outcome = "cancelled";

    /// <param name="operation"><c>chat</c> or <c>embeddings</c>.</param>
    public ModelCall(string operation, string model, ILogger log)
    {
        (_operation, _model, _log) = (operation, model, log);
        _activity = Source.StartActivity($"{operation} {model}", ActivityKind.Client);
        _activity?.SetTag("gen_ai.operation.name", operation);
        _activity?.SetTag("gen_ai.provider.name", "openai");
        _activity?.SetTag("gen_ai.request.model", model);
    }

    public int Attempts { get; set; }

    /// <param name="outcome"><c>stop</c>, <c>length</c>…</param>
    public void Succeed(string outcome, ModelUsage? usage) => (_outcome, _usage) = (outcome, usage);

    public void Fail(ModelException failure) => (_outcome, _failure) = (failure.Code, failure);

    public void Dispose()
    {
        var elapsed = Stopwatch.GetElapsedTime(_started);
        var tags = new TagList
        {
            { "gen_ai.operation.name", _operation },
            { "gen_ai.provider.name", "openai" },
            { "gen_ai.request.model", _model },
        };
        Count(_usage?.InputTokens, "input");
        Count(_usage?.OutputTokens, "output");

        if (_failure is not null)
        {
            tags.Add("error.type", _outcome);
            _activity?.SetTag("error.type", _outcome).SetStatus(ActivityStatusCode.Error, _failure.Message);
        }

        Duration.Record(elapsed.TotalSeconds, tags);
        _activity?.SetTag("gen_ai.usage.input_tokens", _usage?.InputTokens).SetTag("gen_ai.usage.output_tokens", _usage?.OutputTokens);
        _activity?.Dispose();

        // The failure's message is our own (ModelFaults), and its stack adds nothing.
        _log.Log(
            _failure is null ? LogLevel.Information : LogLevel.Warning,
            "model {operation} {model}: {outcome} in {duration_ms} ms, {input_tokens} tokens in, {output_tokens} out, {attempts} attempts {reason}",
            _operation, _model, _outcome, Math.Round(elapsed.TotalMilliseconds, 1), _usage?.InputTokens, _usage?.OutputTokens, Attempts, _failure?.Message ?? "");

        void Count(int? tokens, string type)
        {
            if (tokens is { } count)
                Tokens.Record(count, [.. tags, new("gen_ai.token.type", type)]);
        }
    }
}
