namespace ChatBackend.Features.Chat.Answering;

/// <summary>Stored with the turn: all that any process needs to answer it.</summary>
internal sealed record Question(string Message, string? SelectedText, string? PageUrl);
