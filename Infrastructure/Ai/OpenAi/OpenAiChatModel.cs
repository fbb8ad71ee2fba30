using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.Extensions.Options;

namespace ChatBackend.Infrastructure.Ai.OpenAi;

/// <summary>A model at OpenAI or a compatible server, with a fallback model.</summary>
internal sealed class OpenAiChatModel(
    OpenAiClients clients, ModelAttempts attempts, IOptions<AiOptions> options, IOptions<ModelLimits> limits, TimeProvider time, ILogger<OpenAiChatModel> log) : IChatModel
{
    /// <summary>The first attempt and two retries.</summary>
    private const int Attempts = 3;

    private readonly AiOptions _options = options.Value;

    public string Name => _options.ChatModel;

    public async IAsyncEnumerable<ModelPiece> StreamAsync(ModelRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var budget = new ModelBudget(request.Budget ?? TimeSpan.FromSeconds(_options.TimeoutSeconds), time);
        await using var answer = await OpenAsync(request, budget, cancellationToken);

        // The reader has text from here on, which another attempt could not continue.
        while (await answer.ReadAsync() is { } piece)
            yield return piece;
    }

    private async Task<OpenAiAnswer> OpenAsync(ModelRequest request, ModelBudget budget, CancellationToken cancellationToken)
    {
        if (_options.FallbackModel is not { Length: > 0 } fallback || fallback == _options.ChatModel)
            return await OpenAsync(_options.ChatModel, isLastModel: true, request, budget, cancellationToken);

        ModelException first;
        try
        {
            return await OpenAsync(_options.ChatModel, isLastModel: false, request, budget, cancellationToken);
        }
        // A refusal is final, and a prompt that is too long can be cut by the caller.
        catch (ModelException e) when (e.Failure is not (ModelFailure.Refused or ModelFailure.ContextTooLong) && budget.Remaining > TimeSpan.Zero)
        {
            first = e;
        }

        try
        {
            return await OpenAsync(fallback, isLastModel: true, request, budget, cancellationToken);
        }
        catch (ModelException e) when (e.Failure is not ModelFailure.Refused)
        {
            // Both failed: the first failure is the more helpful one.
            throw first;
        }
    }

    private async Task<OpenAiAnswer> OpenAsync(string model, bool isLastModel, ModelRequest request, ModelBudget budget, CancellationToken cancellationToken)
    {
        var call = new ModelCall("chat", model, log);
        OpenAiAnswer? opened = null;
        try
        {
            // The fallback gets one attempt.
            var most = model == _options.ChatModel ? Attempts : 1;
            return opened = await attempts.RunAsync(call, model, most, budget, isLastModel, AttemptAsync, cancellationToken);
        }
        catch (ModelException e)
        {
            call.Fail(e);
            throw;
        }
        finally
        {
            if (opened is null)
                call.Dispose();
        }

        async Task<OpenAiAnswer> AttemptAsync(CancellationToken token)
        {
            // A search query gets a few seconds: a model that is slower may still answer in time.
            var isAmple = budget.Total >= limits.Value.FirstPiece || budget.Total.TotalSeconds >= _options.TimeoutSeconds / 2.0;
            var answer = new OpenAiAnswer(clients, ChatRequest.Of(model, request), request, call, limits.Value, budget, isAmple, time, token);
            try
            {
                await answer.BeginAsync();
                return answer;
            }
            catch (Exception e)
            {
                // A server that declined the request did not charge for it. One that was cut off may have.
                if (e is ModelException { Failure: not ModelFailure.Timeout })
                    answer.Uncount();
                await answer.AbortAsync();
                throw;
            }
        }
    }
}

/// <summary>One attempt at an answer: its request, its stream, its deadlines, and the check that it is complete.</summary>
internal sealed class OpenAiAnswer : IAsyncDisposable
{
    private readonly ModelCall _call;
    private readonly ModelLimits _limits;
    private readonly ModelBudget _budget;
    private readonly bool _isAmple;
    private readonly TimeProvider _time;
    private readonly CancellationToken _caller;
    private readonly TokenTally? _tally;
    private readonly CancellationTokenSource _silence;
    private readonly CancellationTokenSource _abort;
    private readonly OpenAiClients _clients;
    private byte[]? _body;
    private HttpResponseMessage? _response;
    private BoundedEvents? _stream;
    private IAsyncEnumerator<SseItem<ChatChunk?>>? _chunks;
    private ModelPiece? _first;
    private string? _finish;
    private ModelUsage? _usage;
    private string? _model;
    private bool _hasText;
    private bool _isRefused;
    private bool _isOver;
    private bool _isCut;
    private int _room;
    private long _counted;

    public OpenAiAnswer(
        OpenAiClients clients, byte[] body, ModelRequest request, ModelCall call, ModelLimits limits, ModelBudget budget, bool isAmple, TimeProvider time, CancellationToken cancellationToken)
    {
        (_clients, _body, _call, _limits, _budget, _isAmple, _time, _caller) = (clients, body, call, limits, budget, isAmple, time, cancellationToken);
        _room = OutputLimit.Characters(request.MaxOutputTokens);
        _tally = request.Tally;
        Count(request.Messages.Sum(m => (long)TokenEstimate.Of(m.Content)));
        _silence = new(limits.FirstPiece, time);
        _abort = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, budget.Token, _silence.Token);
    }

    /// <summary>Sends the request and reads up to the first text; until then another attempt may replace this one.</summary>
    public async Task BeginAsync() => _first = await ReadUpstreamAsync();

    /// <summary>The next piece; null after the last one.</summary>
    public async ValueTask<ModelPiece?> ReadAsync()
    {
        if (_first is { } piece)
        {
            _first = null;
            return piece;
        }

        if (_isOver)
            return null;

        try
        {
            return await ReadUpstreamAsync();
        }
        catch (ModelException e)
        {
            _call.Fail(e);
            throw;
        }
    }

    /// <summary>Takes back the estimate, unless the server has reported its usage.</summary>
    public void Uncount()
    {
        if (_usage is null)
            Count(-_counted);
    }

    /// <summary>Ends the call and the request, whether or not it was read to the end.</summary>
    public async ValueTask DisposeAsync()
    {
        await AbortAsync();
        _call.Dispose();
    }

    /// <summary>Ends only the request. It is cancelled first, as disposal alone would read on to the end.</summary>
    public async Task AbortAsync()
    {
        await _abort.CancelAsync();
        if (_chunks is not null)
            await _chunks.DisposeAsync();
        _response?.Dispose();
        _abort.Dispose();
        _silence.Dispose();
    }

    private async ValueTask<ModelPiece> ReadUpstreamAsync()
    {
        while (!_isCut && await NextAsync() is { } chunk)
        {
            _silence.CancelAfter(_finish is null && chunk.FinishReason is null ? _limits.Gap : _limits.AfterFinish);
            if (chunk.Fault is { } fault)
                throw fault;

            _finish = chunk.FinishReason ?? _finish;
            _model = chunk.Model ?? _model;
            _isRefused |= chunk.IsRefusal;
            if (chunk.Usage is { } usage)
            {
                _usage = usage;
                Count((long)usage.InputTokens + usage.OutputTokens - _counted);
            }

            var text = chunk.Text;
            if (text.Length > _room)
            {
                // The model exceeds its limit: the text so far is kept, and no more is read.
                (_isCut, _finish) = (true, "length");
                text = OutputLimit.Cut(text, _room);
            }

            _room -= text.Length;
            if (_usage is null)
                Count(TokenEstimate.Of(text));
            if (text.Length > 0)
            {
                _hasText = true;
                return new(text) { Model = _model };
            }
        }

        return End();
    }

    private async ValueTask<ChatChunk?> NextAsync()
    {
        try
        {
            _chunks ??= await SendAsync();
            _stream!.Restart();
            return await _chunks.MoveNextAsync() ? _chunks.Current.Data : null;
        }
        catch (Exception) when (_caller.IsCancellationRequested)
        {
            throw new OperationCanceledException(_caller);
        }
        catch (Exception) when (_finish is not null)
        {
            // The answer is complete; only its usage is missing.
            return null;
        }
        catch (OperationCanceledException) when (_budget.Token.IsCancellationRequested)
        {
            throw ModelFaults.OutOfTime(wasEnough: _isAmple);
        }
        catch (OperationCanceledException) when (_silence.IsCancellationRequested)
        {
            throw ModelFaults.Silent();
        }
        catch (JsonException)
        {
            throw ModelFaults.Truncated();
        }
        catch (Exception e)
        {
            throw ModelFaults.From(e, _time);
        }
    }

    private async Task<IAsyncEnumerator<SseItem<ChatChunk?>>> SendAsync()
    {
        _response = await _clients.AskAsync(_body!, _abort.Token);
        // The prompt is not kept while the answer streams.
        _body = null;
        if (!_response.IsSuccessStatusCode)
            throw await ModelFaults.FromAsync(_response, _time);
        _stream = new(await _response.Content.ReadAsStreamAsync(_abort.Token));
        return SseParser.Create(_stream, (_, data) => ChatChunk.Read(data)).EnumerateAsync(_abort.Token).GetAsyncEnumerator(_abort.Token);
    }

    private void Count(long tokens)
    {
        _counted += tokens;
        _tally?.Add(tokens);
    }

    private ModelPiece End()
    {
        // A truncated stream ends like a complete one: only the finish reason tells them apart.
        if (_finish is null)
            throw ModelFaults.Truncated();

        ModelFinish? finish = _finish switch
        {
            "stop" => ModelFinish.Stop,
            "length" => ModelFinish.Length,
            "content_filter" => ModelFinish.ContentFilter,
            _ => null,
        };
        if (finish is null)
            throw ModelFaults.Malformed();
        if (!_hasText)
            throw _isRefused || finish == ModelFinish.ContentFilter ? ModelFaults.Refused() : ModelFaults.Empty();

        _isOver = true;
        _call.Succeed(_finish, _usage);
        return new("") { Finish = finish, Usage = _usage, Model = _model };
    }
}
